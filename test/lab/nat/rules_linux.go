package nat

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// natMark is the bit that kube-proxy sets on what its node has to masquerade.
const natMark = 0x4000

// tableSize is the connection table of a Tiny router.
const tableSize = 256

// A ruleset is what a router's rules are made of.
type ruleset struct {
	form     form
	dev      string        // towards the Internet
	address  netip.Addr    // IPv4 address there
	lifetime time.Duration // of a mapping that the rules keep themselves
}

// script returns the router's rules for nft. They replace those before them,
// mappings included. IPv6 is never translated: it meets the filter alone.
func (r ruleset) script() string {
	const clear = "table ip labnat {}\ndelete table ip labnat\ntable inet labnat {}\ndelete table inet labnat\n"
	nat := map[form]func() string{home: r.masquerade, careless: r.masquerade, symmetric: r.masquerade, noUDP: r.masquerade,
		tiny: r.masquerade, cone: r.cone, addressCone: r.cone, pool: r.pool, poolHairpin: r.pool}[r.form]
	if nat == nil {
		nat = func() string { return "" }
	}
	return clear + nat() + r.filter()
}

// filter keeps out what nobody inside asked for. A router that lets such packets
// in to itself notes them as connections of its own: that is what spoils the
// mappings of a careless one.
func (r ruleset) filter() string {
	if r.form == plain {
		return ""
	}
	var more, input string
	switch r.form {
	case noUDP:
		more = "meta l4proto udp drop"
	case tiny: // the mark is for flows that are in the table and have no answer yet
		more = fmt.Sprintf("ct state new ct mark 0 ct count over %d drop\n\t\tct mark set 1", tableSize)
	}
	if r.form != careless {
		input = fmt.Sprintf("iifname %q ct state new drop\n", r.dev)
	}
	return fmt.Sprintf(`table inet labnat {
	set pinholes { type ipv6_addr . inet_service; }
	chain input {
		type filter hook input priority 0
		%s
	}
	chain forward {
		type filter hook forward priority 0
		iifname %q ct status dnat accept
		iifname %q ip6 daddr . udp dport @pinholes accept
		iifname %q ct state new,invalid drop
		%s
	}
}
`, input, r.dev, r.dev, r.dev, more)
}

// masquerade is the NAT that Linux does by itself: it keeps the port of the
// socket, and takes another if the connection table has the flow already.
func (r ruleset) masquerade() string {
	how := ""
	if r.form == symmetric {
		how = "fully-random"
	}
	return fmt.Sprintf(`table ip labnat {
	chain post {
		type nat hook postrouting priority 100
		oifname %q masquerade %s
	}
}
`, r.dev, how)
}

// cone notes each mapping after the translation, by its port outside, and sends
// back in what comes for it: from everybody, or from addresses sent to.
func (r ruleset) cone() string {
	known := ""
	if r.form == addressCone {
		known = "ip saddr . udp dport @sent"
	}
	return r.withMaps(fmt.Sprintf(`
	chain pre {
		type nat hook prerouting priority -100
		iifname %q meta l4proto udp %s dnat ip to udp dport map @inside
	}
	chain post {
		type nat hook postrouting priority 100
		oifname %q snat ip to %s
	}
`, r.dev, known, r.dev, r.address))
}

// pool draws a port of 16384 and above for each socket inside. A hairpin keeps
// the address and the port outside as the source (RFC 4787 REQ-9).
func (r ruleset) pool() string {
	from, hairpin := fmt.Sprintf("iifname %q", r.dev), ""
	draw := "update @outside { ip saddr . udp sport timeout %s : numgen random mod 65536 | 64 }"
	snat := fmt.Sprintf("snat ip to %s : ip saddr . udp sport map @outside", r.address)
	if r.form == poolHairpin {
		from = ""
		hairpin = fmt.Sprintf("ip saddr %s ct status dnat meta l4proto udp ", carrierNet)
	}
	draw = fmt.Sprintf(draw, r.seconds())
	twice := func(rule string) string {
		out := fmt.Sprintf("oifname %q meta l4proto udp %s\n", r.dev, rule)
		if hairpin != "" {
			out += "\t\t" + hairpin + rule + "\n"
		}
		return out
	}
	return r.withMaps(fmt.Sprintf(`
	map outside { type ipv4_addr . inet_service : inet_service; flags dynamic,timeout; timeout %s; size 65535; }
	chain pre {
		type nat hook prerouting priority -100
		%s ip daddr %s meta l4proto udp dnat ip to udp dport map @inside
	}
	chain draw {
		type filter hook postrouting priority 99
		%s
	}
	chain post {
		type nat hook postrouting priority 100
		%s
		oifname %q meta l4proto != udp snat ip to %s
	}
`, r.seconds(), from, r.address, twice(draw), twice(snat), r.dev, r.address))
}

// withMaps adds the mappings, by the port outside, and the addresses that each
// was used for. What leaves keeps them alive (RFC 4787 REQ-6).
func (r ruleset) withMaps(chains string) string {
	text := fmt.Sprintf(`table ip labnat {
	map inside { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout LIFE; size 65535; }
	set sent { type ipv4_addr . inet_service; flags dynamic,timeout; timeout LIFE; size 65535; }
	%s
	chain note {
		type filter hook postrouting priority 101
		oifname != %q return
		meta l4proto != udp return
		update @sent { ip daddr . udp sport timeout LIFE }
		ct direction original update @inside { udp sport timeout LIFE : ct original ip saddr . ct original proto-src }
		ct direction reply update @inside { udp sport timeout LIFE : ct reply ip saddr . ct reply proto-src }
	}
}
`, chains, r.dev)
	return strings.ReplaceAll(text, "LIFE", r.seconds())
}

func (r ruleset) seconds() string { return fmt.Sprintf("%ds", int(r.lifetime.Seconds())) }

// nodeRules are those of a host that masquerades its own packets by their mark,
// as kube-proxy has it.
func nodeRules() string {
	return fmt.Sprintf(`table ip labnode {}
delete table ip labnode
table ip labnode {
	chain post {
		type nat hook postrouting priority 100
		meta mark & %#x == %#x masquerade fully-random
	}
}
`, natMark, natMark)
}
