// Package demo is "l2tun demo": two nodes on this machine, brought up by the
// commands that a user would type, and what they do, shown as it happens.
//
// Run starts this program again in namespaces of its own (mounts, network, and
// users unless it is root), and Inside is what happens there. Its /run is a
// tmpfs, so every file, socket and lock of the demo lies in memory that only it
// sees; test/lab holds the network namespaces by descriptors. All of that
// ends with the process, however it ends: nothing has to be cleaned up by hand,
// and no node of the machine is ever met.
//
//	l2tun demo ── l2tun demo --inside ─┬─ l2tun up   alice ─┐ 10.77.1.1
//	(waits)       (ping, throughput)   └─ l2tun up   bob   ─┘ 10.77.1.2
//
// The parent owns the child, the child the nodes; each waits for what it owns
// and takes it along if it is killed. The demo never takes longer than a minute.
package demo
