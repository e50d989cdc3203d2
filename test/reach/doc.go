// Package reach lets two homes of the lab meet through a hub, set up by the commands
// that their users would type, and measures what comes of it: the time from the moment
// at which a node is told of the other to its first packet there, and to the direct
// path.
//
//	        hub  l2tun up, relay = "peers"
//	         │
//	A ── NAT ── NAT ── B      each: peer add --hub --endpoint HUB …, peer add OTHER
//
// The demo, the benchmark and the end-to-end tests share it. Whoever starts a hub or a
// home stops it; all nodes end with the process that started them.
package reach
