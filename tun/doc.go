// Package tun makes the TUN device that the operating system's packets come
// from and go to, and moves them in batches.
//
// Ownership: buffers belong to the caller; the device uses them until the call
// returns. One goroutine may Read; any number may Write. Read blocks until a
// packet is there and ends with os.ErrClosed once Close is called, or with
// ErrGone when somebody else removed the device. Close returns when the kernel
// has taken the device away, with its addresses and routes; kill -9 does the same.
//
// Limits: Linux. Packets are plain for now: what the kernel hands over as one
// super-packet is split before Read returns it, and Write joins what can be
// joined. golang.zx2c4.com/wireguard/tun is imported here and nowhere else.
package tun
