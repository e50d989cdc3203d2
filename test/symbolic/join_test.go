package symbolic

import (
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// A passed join as the hub sees it, SPEC 6.11 and 6.12: the link without its token is
// known to it, and so are all DIDs; bound says which ends are in a key, so that the
// model can be made without one.
type passedJoin struct {
	*space
	token, rest   *term
	j, i, h, e, g *term // joining, inviting, this hub; a node of the attacker's; another hub
	bound         string
}

func newPassedJoin(bound string) passedJoin {
	s := newSpace()
	return passedJoin{s, s.atom("token"), s.atom("rest of the link"), s.atom("did J"), s.atom("did I"), s.atom("did H"), s.atom("did E"), s.atom("did G"), bound}
}

func (p passedJoin) body() *term   { return p.cat(p.rest, p.token) }
func (p passedJoin) secret() *term { return p.hash(p.bytes("secret"), p.body()) }
func (p passedJoin) proof(hub *term) *term {
	return p.hash(p.bytes("hub"), hub, p.body())
}
func (p passedJoin) kept(hub *term) *term { return p.hash(p.bytes("deposit"), p.proof(hub)) }

// key derives as HKDF does: one way, of all its parts.
func (p passedJoin) key(label string, j, h *term, salts ...*term) *term {
	parts := append([]*term{p.bytes(label), p.secret()}, salts...)
	for n, end := range []*term{j, p.i, h} {
		if p.bound[n] != '-' {
			parts = append(parts, end)
		}
	}
	return p.hash(parts...)
}

func (p passedJoin) request(j, h, n, what *term) *term {
	return p.make(opSeal, "", p.key("request", j, h, n), what, p.bytes(""))
}

func (p passedJoin) answer(n, m, what *term) *term {
	return p.make(opSeal, "", p.key("answer", p.j, p.h, n, m), what, p.bytes(""))
}

// hub is what the attacker reaches, as the hub of a join that succeeded and of another
// one of the same node that was refused, with or without the link's token.
func (p passedJoin) hub() *answers {
	leaks := leaked(p.token)
	a := newAnswers("a join through a hub, by the hub", leaks)
	n, n2, m, m2, own := p.atom("n"), p.atom("n of another try"), p.atom("m"), p.atom("m of another try"), p.atom("own salt")
	yes, no, mine := p.bytes("yes"), p.bytes("no"), p.atom("own endpoints")
	ask := p.cat(p.hash(p.bytes("proof"), p.body()), p.atom("endpoints"))
	forged := p.cat(p.hash(p.bytes("proof"), p.body()), mine)
	given := []*term{p.rest, p.j, p.i, p.h, p.e, p.g, n, n2, m, m2, own, mine,
		p.kept(p.h), p.proof(p.h), p.request(p.j, p.h, n, ask), p.request(p.j, p.h, n2, ask), p.answer(n, m, yes), p.answer(n2, m2, no)}
	goals := []struct {
		name string
		term *term
	}{
		{"the secret of the link", p.secret()},
		{"what the joining node shows the inviting one", p.hash(p.bytes("proof"), p.body())},
		{"what it shows another hub", p.proof(p.g)},
		{"its endpoints", p.atom("endpoints")},
		{"a request of the attacker's node, with a salt of its own", p.request(p.e, p.h, own, forged)},
		{"a request of the attacker's node, as the joining one's", p.request(p.e, p.h, n, ask)},
		{"a request of the joining node with other endpoints", p.request(p.j, p.h, own, forged)},
		{"its request through another hub", p.request(p.j, p.g, n, ask)},
		{"a yes to the request that was refused", p.answer(n2, own, yes)},
		{"a yes to the request that was refused, of another try", p.answer(n2, m, yes)},
	}
	k := saturate(p.space, given, leaks)
	for _, goal := range goals {
		a.add(goal.name, k.of(goal.term))
	}
	// The control run: the hub has what it was shown.
	a.add("what it was shown itself", k.of(p.proof(p.h)))
	return a
}

// joinRows are the rows of the table.
func joinRows() []row { return newPassedJoin("JIH").hub().rows("join") }

// A hub that passes a join on gets in nobody and says nothing in another's name, unless
// it has the link; without one of the ends in the keys it would.
func TestAHubThatPassesAJoinOn(t *testing.T) {
	a := newPassedJoin("JIH").hub()
	for _, goal := range a.names {
		want := "[token]"
		if goal == "what it was shown itself" {
			want = "always"
		}
		if got := clauses(a.where[goal], a.leaks); got != want {
			t.Errorf("%s: %s, want %s", goal, got, want)
		}
	}
	for bound, goal := range map[string]string{
		"-IH": "a request of the attacker's node, as the joining one's",
		"JI-": "its request through another hub",
	} {
		weak := newPassedJoin(bound).hub()
		if got := clauses(weak.where[goal], weak.leaks); got != "always" {
			t.Errorf("with %s in the keys, %s: %s", bound, goal, got)
		}
	}
	faults.Report(t, "N20", !t.Failed(), "10 goals, each for whoever has the token alone")
}
