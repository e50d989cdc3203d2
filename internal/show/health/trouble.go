package health

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// trouble are the findings about what a node knows of a peer beyond the state
// of its session.
func trouble(p *control.Peer) (all []control.Finding) {
	add := func(f control.Finding) {
		f.About = Called(p)
		all = append(all, f)
	}
	up := p.State == "established" || p.State == "rotating"
	if !up {
		for _, o := range p.Trouble.Obstacles {
			f := obstacle(o)
			if p.Reason == "timeout" {
				f.Level = control.LevelNote // another endpoint was tried
			}
			add(f)
		}
	}
	if at := p.Trouble.Duplicates; len(at) > 0 {
		add(control.Finding{Code: Duplicate, Level: control.LevelError,
			What: fmt.Sprintf("runs on two hosts with the same key, which take turns: %s", strings.Join(at, ", ")),
			Do:   "make a new key on the copy (l2tun down, then l2tun id --new) and add its new DID as a peer of its own"})
	}
	if p.Trouble.Displaced {
		add(control.Finding{Code: Duplicate, Level: control.LevelWarning,
			What: "loses the session with this node again and again although it has not restarted: another host may run with the same key as this one",
			Do:   "if this host was cloned or restored from a copy, make a new key on one of the two (l2tun down, then l2tun id --new)"})
	}
	return all
}

// obstacle says why this host could not even try an endpoint.
func obstacle(o control.Obstacle) control.Finding {
	switch o.Kind {
	case "own_address":
		return control.Finding{Code: CannotDial, Level: control.LevelError,
			What: fmt.Sprintf("was not tried at endpoint %s, which is this host's own address", o.Endpoint),
			Do:   "remove that endpoint from the peer, or give one that only the peer has (docker bridges have the same address on many hosts)"}
	case "unresolvable":
		return control.Finding{Code: Unresolvable, Level: control.LevelError,
			What: fmt.Sprintf("was not tried at endpoint %s: the name does not resolve on this host", o.Endpoint),
			Do:   "correct the name or give an address; if no name resolves, look at /etc/resolv.conf"}
	}
	family, other := "IPv4", "IPv6"
	remote, err := netip.ParseAddrPort(o.Endpoint)
	if err == nil && remote.Addr().Is6() {
		family, other = other, family
	}
	return control.Finding{Code: CannotDial, Level: control.LevelError,
		What: fmt.Sprintf("is unreachable: no route to %s (%s)", remote.Addr(), family),
		Do:   fmt.Sprintf("add a default route for %s on this host, or an %s endpoint of the peer", family, other)}
}
