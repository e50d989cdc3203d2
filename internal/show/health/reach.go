package health

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// Words of Status.NAT that make a difference here.
const (
	natNone        = "none"
	natIndependent = "endpoint_independent"
	natDependent   = "endpoint_dependent"
)

// Expect is what a node can expect of its paths to peers, in one sentence.
func Expect(n *control.Netcheck) string {
	hubs := hubsUp(n)
	through := "through " + strings.Join(hubs, " or ")
	open := n.NAT == natNone || hasMapped(n)
	switch {
	case open:
		return "direct to all peers that have UDP" + orThrough(hubs, "; "+through+" to those behind a firewall that opens for nobody")
	case n.NAT == natIndependent && len(hubs) > 0:
		return "direct to most; " + through + " to symmetric ones" + withSpray(n, " that have no spray")
	case n.NAT == natDependent && len(hubs) > 0:
		return "direct to peers with public addresses and to those whose NAT lets any remote in" + withSpray(n, ", and by spray to most that have it on") + "; " + through + " to all others"
	case len(hubs) > 0 && len(n.Witnesses) > 0:
		return through + ", and direct to most; a second witness of another address would tell what kind of NAT this is"
	case len(hubs) > 0:
		return through + "; whether direct is not known before a peer on the Internet has told where it sees this node"
	case len(n.Hubs) > 0:
		return "nothing to peers that do not reach this node by themselves: no hub answers at present (l2tun status " + cmp.Or(n.Hubs[0].Name, n.Hubs[0].DID) + ")"
	case n.NAT == "" || n.NAT == "unknown":
		return "direct to peers with public addresses; others must reach this node, or have a hub in common with it (l2tun peer set PEER --hub)"
	}
	return "direct to peers with public addresses only: this node is behind NAT and has no hub (l2tun peer set PEER --hub makes a peer one that both have)"
}

// withSpray is a text if the node takes part in sprays.
func withSpray(n *control.Netcheck, text string) string {
	if !n.Spray {
		return ""
	}
	return text
}

func orThrough(hubs []string, text string) string {
	if len(hubs) == 0 {
		return ""
	}
	return text
}

// hubsUp are the names of the hubs that can be asked, at most two.
func hubsUp(n *control.Netcheck) (names []string) {
	for i := range n.Hubs {
		h := &n.Hubs[i]
		if h.Up && len(names) < 2 {
			names = append(names, Called(&control.Peer{DID: h.DID, Name: h.Name}))
		}
	}
	return names
}

func hasMapped(n *control.Netcheck) bool {
	for _, c := range n.Candidates {
		if c.Kind == "mapped" {
			return true
		}
	}
	return false
}

// hubFor is a hub by which a peer could be met: one that is up before one that is not;
// nil for none.
func (n *node) hubFor(p *control.Peer) (found *control.Peer) {
	for _, h := range n.hubs {
		switch {
		case h.DID == p.DID:
		case isUp(h):
			return h
		case found == nil:
			found = h
		}
	}
	return found
}

func isUp(p *control.Peer) bool { return p.State == "established" || p.State == "rotating" }

// unmet is a peer without an endpoint here that no hub has brought.
func unmet(hub *control.Peer, flag string) control.Finding {
	if !isUp(hub) {
		return control.Finding{Code: Waiting, Level: control.LevelNote, What: fmt.Sprintf("no endpoint of this peer is known here, and hub %s, by which it could be met, has no session at present", Called(hub)),
			Do: "see what is said of that hub; the peer is met as soon as the hub is there"}
	}
	return control.Finding{Code: Waiting, Level: control.LevelNote, What: fmt.Sprintf("no endpoint of this peer is known here, and hub %s has not brought it yet", Called(hub)),
		Do:  "at the peer: does it run, has it the same hub, does it list this node? at the hub: is relay on, and are both its peers?",
		Run: []string{"l2tun netcheck" + flag}, RunThere: []string{"l2tun peer set " + hub.DID + " --hub"}}
}
