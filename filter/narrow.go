package filter

import "net/netip"

// Narrow returns rules that let pass what r lets pass and only too: what others grant, and
// what this host's own config leaves of it. Nil lets everything pass.
func (r *Rules) Narrow(only *Rules) *Rules {
	switch {
	case r == nil:
		return only
	case only == nil:
		return r
	}
	n := &Rules{self: r.self.and(&only.self), isExit: r.isExit && only.isExit, both: []*Rules{r, only}}
	if n.isExit {
		n.exit = r.exit.and(&only.exit)
	}
	seen := make(map[netip.Prefix]bool)
	for _, of := range n.both {
		for i := range of.routes {
			p := of.routes[i].prefix
			a, b := r.around(p), only.around(p)
			if a != nil && b != nil && !seen[p] { // else nothing of p passes one of them, as it is with every network around p
				n.routes = append(n.routes, route{p, a.and(b)})
			}
			seen[p] = true
		}
	}
	n.sort()
	return n
}

// around is the list that decides about all of a network which no route of either side
// divides; nil: nothing may go there.
func (r *Rules) around(p netip.Prefix) *list {
	for i := range r.routes {
		if x := &r.routes[i]; x.prefix.Bits() <= p.Bits() && x.prefix.Contains(p.Addr()) {
			return &x.list
		}
	}
	if r.isExit {
		return &r.exit
	}
	return nil
}

// and is the traffic that both lists have.
func (l *list) and(o *list) list {
	both := list{tcp: overlaps(l.tcp, o.tcp), udp: overlaps(l.udp, o.udp)}
	for i := range both.protocol {
		both.protocol[i] = l.protocol[i] & o.protocol[i]
	}
	return both
}

// overlaps are the ports that are in spans of both, each in order.
func overlaps(a, b []span) (out []span) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if s := (span{max(a[i].first, b[j].first), min(a[i].last, b[j].last)}); s.first <= s.last {
			out = append(out, s)
		}
		if a[i].last < b[j].last {
			i++
		} else {
			j++
		}
	}
	return out
}
