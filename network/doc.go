// Package network is the documents of a network: who belongs together, under which names
// and addresses, and who may speak to whom. It needs no server. Everything is checked
// offline, and everybody in a network holds all of it.
//
//	head      signed by a threshold of admins: name, admins, issuers and their scope, hubs,
//	          directories, grants, successions, removals and what takes them back
//	roster    signed by one issuer: its members
//	removals  signed by an admin or an issuer: members that are gone at once
//
// Each is a text of lines with exactly one form, a signed note whose signers each sign by
// Ed25519 and by ML-DSA-65, and a bundle: the note and the keys of its signers.
//
// A State is one network as a node knows it. It takes documents and says what changed, or
// refuses them with a Code. It is pure: time is handed in, nothing is read or written.
// What it has taken shows in View only when the owner has said Saved, so that serials are
// on disk before they are used. A State belongs to one goroutine; a View never changes and
// is safe for concurrent use.
//
// spec/network.md has the form of the documents and the rules.
package network
