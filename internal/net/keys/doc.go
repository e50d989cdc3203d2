// Package keys owns the keys of one session: its epochs, the rotations that replace
// them, and the secrets that later handshakes start from. rotation decides; a Store
// executes what it decides on the session's plane and path, and reports back how
// that went. It starts no goroutine and reads no clock. The session's loop makes
// every call, except Counts, which anybody may make.
package keys
