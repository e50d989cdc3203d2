package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/internal/control"
)

func (t *tale) summary() {
	s := t.screen
	s.head("Summary")
	t.who(t.alice, t.bob, t.atBob)
	t.who(t.bob, t.alice, t.atAlice)
	changes, _ := t.journal.of(t.alice.name)
	s.row("handshake", "%s ms, %s", ms(took(changes)), t.atAlice.Suite)
	s.row("carrier", "%s", carrier(t.atAlice))
	for i, e := range t.pings {
		s.row(map[bool]string{true: "ping"}[i == 0], "%s: %s", e.to, e)
	}
	s.row("throughput", "%s to %s %s, %s to %s %s", t.alice.name, t.bob.name, rate(t.there), t.bob.name, t.alice.name, rate(t.back))
}

// who is a node: its DID, its addresses inside and outside (as the other saw
// it), its states, and the packets that it dropped, if any.
func (t *tale) who(n, other *node, seen control.Peer) {
	changes, _ := t.journal.of(n.name)
	t.screen.row(n.name, "%s", n.did)
	t.screen.row("", "%s and %s, at %s", n.inner.Addr(), n.did.Addr(), seen.Endpoint)
	t.screen.row("", "%s", strings.Join(states(changes), " > "))
}

// keys are a session's epoch and the way its records take.
func keys(p control.Peer) string { return fmt.Sprintf("epoch %d, %s", p.Epoch, carrier(p)) }

func carrier(p control.Peer) string {
	if p.Carrier == p.Link {
		return p.Link
	}
	return fmt.Sprintf("%s over %s", p.Carrier, p.Link)
}

func dropped(m map[string]uint64) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[reason], reason))
	}
	return strings.Join(parts, ", ")
}
