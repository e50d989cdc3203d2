package filter

import "github.com/libertaria-project/l2tun/internal/packet/ip"

// icmpHeader is what an ICMP message has before the packet that it quotes, bytes.
const icmpHeader = 8

// A message is a kind of ICMP message.
type message uint8

const (
	cut     message = iota // shorter than a message
	echo                   // request or reply
	failure                // an error, which quotes a packet
	ofLink                 // never between hosts of a network
	query                  // any other
)

// icmp4 is the kind of an ICMP message of IPv4.
func icmp4(b []byte) message {
	if len(b) < icmpHeader {
		return cut
	}
	switch b[0] {
	case 0, 8:
		return echo
	case 3, 11, 12:
		return failure
	case 4, 5, 9, 10: // source quench, redirect, router advertisement and solicitation
		return ofLink
	}
	return query
}

// icmp6 is the kind of an ICMP message of IPv6.
func icmp6(b []byte) message {
	if len(b) < icmpHeader {
		return cut
	}
	switch t := b[0]; {
	case t == 128, t == 129:
		return echo
	case t >= 1 && t <= 4:
		return failure
	case t >= 130 && t <= 137, t == 143: // multicast listeners, routers, neighbours, redirect
		return ofLink
	}
	return query
}

// icmp judges a message.
func (f *Filter) icmp(u *upper, m message, self bool, to *list, now int64) Verdict {
	switch m {
	case cut:
		return Malformed
	case ofLink:
		return Link
	case failure:
		return f.failed(u, now)
	case echo:
		if self {
			return Pass
		}
	}
	if to.has(u.protocol) {
		return Pass
	}
	return NotGranted
}

// failed judges an error by the packet that it quotes: who the error is for has sent
// it. Of UDP it is known whether that is so; TCP has the sequence number looked at by
// who has sent it, and so has an echo its number.
func (f *Filter) failed(u *upper, now int64) Verdict {
	var quoted upper
	switch {
	case !quoted.read(u.body[icmpHeader:]):
		return Malformed
	case quoted.src != u.dst:
		return Reply
	case quoted.part == later:
		return Pass // of a fragment of its own
	}
	switch quoted.protocol {
	case ip.ProtoTCP:
		return Pass
	case ip.ProtoUDP:
		if len(quoted.body) >= 4 && f.flows.answers(f.flows.of(&quoted), now) {
			return Pass
		}
	case ip.ProtoICMP:
		if icmp4(quoted.body) == echo {
			return Pass
		}
	case ip.ProtoICMPv6:
		if icmp6(quoted.body) == echo {
			return Pass
		}
	}
	return Reply
}
