package symbolic

import (
	"slices"
	"sync"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// atHub is what the hub of two ends has beside what is public: an identity of its own
// with every private half, a session with each end, in which it is the responder of I
// and the initiator of R, all that it drew there, and all messages of both. It forwards
// the handshake of I and R, which everybody has here. SPEC 6.13.
func atHub(p parties, c change) (all []*term) {
	withI, withR := p, p
	own := func(name string) *term {
		t := p.atom(name + " of the hub")
		all = append(all, t)
		return t
	}
	withI.DR, withI.KR, withI.SR, withI.QR = own("D"), own("K"), own("S"), own("Q")
	withR.DI, withR.KI, withR.SI, withR.QI = withI.DR, withI.KR, withI.SR, withI.QR
	withI.Px, withI.Pk, withI.prekeyID = own("Px"), own("Pk"), own("prekey id")
	withI.rx, withI.ce, withI.ci, withI.sidR, withI.paramsR = own("rx"), own("ce"), own("ci"), own("sidR"), own("params with I")
	withR.ex, withR.ek, withR.cs, withR.cp, withR.sidI, withR.paramsI = own("ex"), own("ek"), own("cs"), own("cp"), own("sidI"), own("params with R")
	withI.binding, withR.binding = own("cb with I"), own("cb with R")
	a := p.atom // what an honest end draws for its session with the hub
	withI.ex, withI.ek, withI.cs, withI.cp, withI.sidI = a("ex to the hub"), a("ek to the hub"), a("cs to the hub"), a("cp to the hub"), a("sidI to the hub")
	withR.rx, withR.ce, withR.ci, withR.sidR = a("rx to the hub"), a("ce to the hub"), a("ci to the hub"), a("sidR to the hub")
	for _, q := range []parties{withI, withR} {
		all = append(all, sent(q, 0, c)...)
		// A rotation of that session, whose secret the hub has too.
		q.psk, q.binding = runMode(q, 0, c).keys["rekey"], p.zeros(33)
		all = append(all, sent(q, 1, c)...)
	}
	return all
}

// sent are the messages of a mode, in the order of their names.
func sent(p parties, mode byte, c change) (all []*term) {
	messages := runMode(p, mode, c).messages
	m1, m2, m3 := messagesOf(mode)
	for _, name := range []string{m1, m2, m3} {
		all = append(all, messages[name])
	}
	return all
}

// A hubView is what the hub gets, and what an attacker on the path gets.
type hubView struct {
	mode      string
	hub, path *answers
}

// hubViews are all of them: of the recorded handshake, bound to the connection or not,
// and of the hub in the place of one end. A hub that ends TLS itself has the binding of
// both halves; one that forwards has none.
var hubViews = sync.OnceValue(func() (all []hubView) {
	for name, mode := range map[string]byte{"full": 0, "short": 2} {
		for _, bound := range []bool{false, true} {
			p := newParties(newSpace())
			all = append(all, hubView{name, recordedOf(p, leaksOf(p, mode), mode, bound, unchanged, atHub), recorded(mode, bound, unchanged)})
		}
		all = append(all, hubView{name, activeWith(mode, unchanged, atHub), active(mode, unchanged)})
	}
	slices.SortStableFunc(all, func(a, b hubView) int {
		return slices.Compare([]string{a.mode, a.hub.title}, []string{b.mode, b.hub.title})
	})
	return all
})

// hubRows are the rows of the hub.
func hubRows() (rows []row) {
	for _, v := range hubViews() {
		for _, r := range v.hub.rows(v.mode) {
			rows = append(rows, row{r.section + ", by the hub of both ends", r.text})
		}
	}
	return rows
}

// A hub has sessions with both ends, knows who meets, and forwards every byte. With
// whatever keys leak it gets what any attacker on the path gets, and nothing more:
// neither a key, nor an identity, nor the place of an end.
func TestAHubHasWhatThePathHas(t *testing.T) {
	goals := 0
	for _, v := range hubViews() {
		for _, goal := range v.path.names {
			goals++
			if !slices.Equal(v.hub.where[goal], v.path.where[goal]) {
				t.Errorf("%s, %s: %s: %s\nby the path: %s", v.mode, v.hub.title, goal, clauses(v.hub.where[goal], v.hub.leaks), clauses(v.path.where[goal], v.path.leaks))
			}
		}
		if !slices.Equal(v.hub.names, v.path.names) {
			t.Errorf("%s, %s: other goals", v.mode, v.hub.title)
		}
	}
	if goals < 20 {
		t.Errorf("%d goals only", goals)
	}
	faults.Report(t, "N9", !t.Failed(), "%d goals, each with the same leaks that break it for a hub as for the path", goals)
}

// The control run: what the hub takes part in itself is open to it.
func TestAHubReadsItsOwnSessions(t *testing.T) {
	p := newParties(newSpace())
	q := p
	q.DR, q.KR, q.SR, q.QR = p.atom("D of the hub"), p.atom("K of the hub"), p.atom("S of the hub"), p.atom("Q of the hub")
	q.Px, q.Pk, q.prekeyID = p.atom("Px of the hub"), p.atom("Pk of the hub"), p.atom("prekey id of the hub")
	q.rx, q.ce, q.ci, q.sidR, q.paramsR = p.atom("rx of the hub"), p.atom("ce of the hub"), p.atom("ci of the hub"), p.atom("sidR of the hub"), p.atom("params with I of the hub")
	q.binding = p.atom("cb with I of the hub")
	q.ex, q.ek, q.cs, q.cp, q.sidI = p.atom("ex to the hub"), p.atom("ek to the hub"), p.atom("cs to the hub"), p.atom("cp to the hub"), p.atom("sidI to the hub")
	s := runMode(q, 0, unchanged)
	k := saturate(p.space, append(p.public(), atHub(p, unchanged)...), nil)
	for _, label := range []string{"data i2r", "data r2i", "rekey", "resume i2r"} {
		if !k.of(s.keys[label]).has(0) {
			t.Errorf("the hub does not have %s of its own session", label)
		}
	}
}
