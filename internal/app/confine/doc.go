// Package confine takes from a process the privileges that it does not need any
// more, for good and on all its threads: capabilities in every set, and those
// that a program which it starts could gain (no-new-privs); then the files
// (Landlock) and the system calls (seccomp) that it has no use for. docs/node.md 8.4.
//
// It holds nothing and starts nothing. What is given up does not come back, so
// tests call it in processes of their own. Where the system has no capabilities
// it does nothing.
//
// Limits: without CAP_SETPCAP the bounding set stays as it is, which
// no-new-privs makes harmless. kernel.org/pub/linux/libs/security/libcap/psx is
// imported here and nowhere else, and so is go-landlock; both reach every thread
// with and without cgo.
package confine

// A Privilege is one that a process may keep.
type Privilege int

const (
	// NetAdmin is CAP_NET_ADMIN: devices, addresses, routes, socket marks.
	NetAdmin Privilege = iota
	// NetBindService is CAP_NET_BIND_SERVICE: ports below 1024.
	NetBindService
	// AnyFile is CAP_DAC_OVERRIDE: files and folders of other users.
	AnyFile
)
