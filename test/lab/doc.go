// Package lab makes small networks out of network namespaces on one Linux
// machine, and disturbs them: what tests and the demo use instead of real
// hosts. Nothing that is shipped to carry traffic imports it.
//
// A Lab owns its hosts, and a Host its namespace, links and processes.
// Namespaces have no name and no file: descriptors hold them, so they end with
// this process even if it is killed. Lab.Close removes the rest and waits for
// it. Processes end by their own id or group, never by a name.
//
// It works as root, and as the mapped root of a user namespace whose network
// namespace belongs to it (`unshare -Urnm`).
//
// The kernel may lack netem, so delay, jitter and reordering come from relays
// in user space (RelayUDP, RelayTCP), which also work on loopback; drops, NAT
// and rates come from nftables and tbf.
package lab
