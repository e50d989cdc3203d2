// Package tun makes the TUN device that the operating system's packets come
// from and go to, and moves them in batches.
//
// Ownership: buffers belong to the caller; the device uses them until the call
// returns. One goroutine may Read; any number may Write. Read blocks until a
// packet is there and ends with os.ErrClosed once Close is called, or with
// ErrGone when somebody else removed the device. Close returns when the kernel
// has taken the device away, with its addresses and routes; kill -9 does the same.
//
// On Linux packets pass through the descriptor with virtio-net headers: one read
// or write moves one packet or one super-packet of TCP, whose checksum is partial.
// Segments takes a super-packet apart. With Config.NoOffload wireguard/tun's
// batches do the work instead, and split, join and checksum everything.
//
// Limits: Linux; no ECN and no UDP in super-packets. golang.zx2c4.com/wireguard/tun
// is imported here and nowhere else.
package tun
