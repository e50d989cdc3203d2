// Package invite is what an invitation is: the link that goes from one person to
// another, the file in which the inviting node keeps what it has promised, and
// the request and answer of a join. It opens no socket and asks no node. docs/node.md 8.3.
//
// Secret in all this is one token of 128 bits, in the link alone. The file has a
// hash of a hash of the link, so reading the file lets nobody join, and a link
// of which anything was changed fits no invitation.
//
// Limits: 256 invitations a node, 16 endpoints and prefixes a link, 2048 bytes a
// link, and the 4 KiB of a request.
package invite
