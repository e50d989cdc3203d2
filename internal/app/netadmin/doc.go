// Package netadmin is what admins and issuers of a network do: it drafts documents, signs
// them with a key of the node or of a person, and says in one sentence what that has done.
// The same calls serve a running node, whose owner takes the documents, and the command
// line where no node runs (Offline).
//
// Nothing is taken here by itself, and no key leaves a call.
package netadmin
