// Package filter judges the packets of peers that may reach only some of this host: the
// members of a network. It stands behind the check of a packet's source, so that the
// source is the peer, and sees inbound packets alone.
//
// What a peer may reach are entries: a destination (this host's own addresses, a
// network behind it, or what lies beyond it as an exit), a protocol and ports. They are
// compiled to one short list a destination, at most MaxRanges ranges of ports each. A
// packet to any other destination is dropped, but for answers to hosts of networks
// behind this one.
//
//	TCP   is judged where it opens: SYN without ACK. Other segments belong to flows that
//	      exist or are answered by a reset; those without SYN, ACK and RST, and SYN with
//	      FIN, are scans.
//	UDP   passes if granted, or as the answer to what this host sent to that address and
//	      port within FlowLife.
//	ICMP  echo passes to this host's own addresses. An error is judged by the packet that
//	      it quotes, which this host has to have sent. Neighbour discovery, router
//	      messages and redirects never pass.
//	other protocols pass if granted.
//
// The first fragment of a packet is judged; the others follow it for FragmentLife. A
// packet that the kernel or a peer has put together of many is judged once.
//
// A Filter is safe for concurrent use, allocates nothing for a packet and starts no
// goroutine. Time is seconds of a monotonic clock, handed in.
package filter
