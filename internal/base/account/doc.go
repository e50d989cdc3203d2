// Package account is about the system user that nodes run as: l2tun, whom the
// package makes. A folder of that user, /etc/l2tun, is where root acts as that
// user: As reads and writes in it with that user's rights, so that what is written
// is the user's, and so that a link which the user has laid leads root nowhere
// where the user could not go. docs/node.md 8.4.
//
// It holds nothing but who the user is, looked up once: a node asks before it is
// sandboxed. Elsewhere than on Linux there is no such user.
package account
