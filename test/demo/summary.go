package main

import (
	"fmt"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func (t *tale) summary() {
	s := t.screen
	s.head("Summary")
	t.who(t.alice, t.atBob)
	t.who(t.bob, t.atAlice)
	changes, _ := t.journal.of(t.alice.Name)
	s.row("handshake", "%d ms, %s", took(changes).Milliseconds(), t.atAlice.Suite)
	s.row("rotations", "%d while traffic flowed", max(t.atAlice.Epoch, 1)-1)
	s.row("carrier", "%s", carrier(t.atAlice))
	name := "ping"
	for _, e := range t.pings {
		s.row(name, "%s: %s", e.to, e)
		name = ""
	}
	s.row("throughput", "%[1]s to %[2]s %[3]s, %[2]s to %[1]s %[4]s", t.alice.Name, t.bob.Name, rate(t.there), rate(t.back))
}

// who is a node: its DID, its addresses inside and, as the other saw it,
// outside, and its states.
func (t *tale) who(n *host, seen control.Peer) {
	changes, _ := t.journal.of(n.Name)
	t.screen.row(n.Name, "%s", n.DID)
	t.screen.row("", "%s and %s, at %s", n.Inside.Addr(), n.Address, seen.Endpoint)
	t.screen.row("", "%s", strings.Join(states(changes), " > "))
}

// carrier says how records travel.
func carrier(p control.Peer) string {
	if p.Carrier == p.Link {
		return p.Link
	}
	return fmt.Sprintf("%s over %s", p.Carrier, p.Link)
}
