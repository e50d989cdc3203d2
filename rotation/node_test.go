package rotation

import (
	"fmt"
)

// A node executes a machine's actions as a session does.
type node struct {
	w    *world
	name string
	m    *Machine
	peer *node

	recv    map[string]uint64 // receivable keys
	held    map[string]uint64 // installed, but kept unopened until M3
	keys    map[uint64]string
	last    map[uint64]message
	cur     string
	numbers map[string]uint32
	uses    []uint32 // numbers in the order of use
	fail    int      // so many short handshakes of ours fail to verify
	deaf    int      // so many of the peer's cannot be answered
	starts  int
	fullReq int
	trying  uint64
	mute    bool // sends no full handshake when asked
}

func (n *node) GoString() string { return n.name }

func (n *node) do(actions []Action) {
	n.w.t.Helper()
	for _, a := range actions {
		n.w.trace("%v %s: %v", n.w.now.Sub(start0), n.name, a)
		n.act(a)
	}
	if len(n.recv) > maxEpochs {
		n.w.t.Fatalf("%s: %d epochs receivable", n.name, len(n.recv))
	}
	if s := n.m.Status(); s.Epochs != len(n.recv) {
		n.w.t.Fatalf("%s: machine counts %d epochs, the node %d", n.name, s.Epochs, len(n.recv))
	}
}

func (n *node) act(a Action) {
	n.w.t.Helper()
	switch a.Op {
	case Start:
		n.starts++
		n.keys[a.ID] = fmt.Sprintf("%s/%s%d", n.cur, n.name, a.Attempt)
		n.numbers[n.keys[a.ID]] = a.Number
		n.last[a.ID] = message{kind: m1r, key: n.keys[a.ID], attempt: a.Attempt, number: a.Number, id: a.ID}
		n.seal(n.last[a.ID])
	case Answer:
		// receiveM1r says what became of it
	case Reply:
		n.seal(n.last[a.ID])
	case Finish:
		n.seal(n.last[a.ID])
	case Resend:
		n.seal(n.last[a.ID])
	case Abandon:
		delete(n.last, a.ID)
	case Install:
		delete(n.held, n.keys[a.ID])
		n.recv[n.keys[a.ID]] = a.ID
	case Use:
		n.use(a.ID)
	case Confirm:
		n.sealUnder(n.keys[a.ID], message{kind: data})
	case Retire:
		if n.keys[a.ID] == n.cur {
			n.w.t.Fatalf("%s: epoch in use retired", n.name)
		}
		delete(n.recv, n.keys[a.ID])
	case StartFull:
		n.fullReq++
		if !n.mute {
			n.full()
		}
	case Stop:
		n.cur = ""
		n.w.stops++
		if !n.w.allowStop {
			n.w.t.Fatalf("%s: %v", n.name, a)
		}
	default:
		n.w.t.Fatalf("%s: unknown action %v", n.name, a)
	}
}

func (n *node) use(id uint64) {
	n.w.t.Helper()
	key := n.keys[id]
	if n.recv[key] != id {
		n.w.t.Fatalf("%s: used before it was installed", n.name)
	}
	number := n.numbers[key]
	if len(n.uses) > 0 && number < n.uses[len(n.uses)-1] {
		n.w.t.Fatalf("%s: goes back from %d to %d", n.name, n.uses[len(n.uses)-1], number)
	}
	n.cur, n.uses = key, append(n.uses, number)
}

func (n *node) seal(m message) {
	n.w.t.Helper()
	switch m.kind {
	case "":
		n.w.t.Fatalf("%s: message of a handshake that was abandoned", n.name)
	case m1, m2, m3:
		m.from = n
		n.w.send(m)
	default:
		n.sealUnder(n.cur, m)
	}
}

// sealUnder checks the invariant: the peer can receive what we send.
func (n *node) sealUnder(key string, m message) {
	n.w.t.Helper()
	p := n.peer
	if _, ok := p.recv[key]; !ok {
		if _, ok := p.held[key]; !ok && p.cur != "" && !n.w.m3lost {
			n.w.t.Fatalf("%v: %s seals %s under %q, which %s cannot receive", n.w.now.Sub(start0), n.name, m.kind, key, p.name)
		}
	}
	m.from, m.under = n, key
	n.w.send(m)
}

func (n *node) talk() {
	if n.cur != "" {
		n.m.Sent()
		n.sealUnder(n.cur, message{kind: data})
	}
}

// full starts a full handshake, as a session does: one at a time, and not while
// the last one waits for its proof.
func (n *node) full() {
	if n.m.cur != nil && !n.m.cur.proven && n.w.now.Before(n.m.cur.born.Add(fullProof)) {
		return
	}
	delete(n.last, n.trying)
	id, number := n.m.NewID(), n.m.Propose()
	n.trying = id
	n.w.fulls++
	key := fmt.Sprintf("F%d", n.w.fulls)
	n.keys[id] = key
	n.last[id] = message{kind: m1, key: key, number: number, id: id}
	n.seal(n.last[id])
}

func (n *node) receive(m message) {
	n.w.t.Helper()
	now := n.w.now
	switch m.kind {
	case m1:
		id := n.m.NewID()
		number, ok := n.m.NumberFor(m.number)
		if !ok {
			return
		}
		n.keys[id], n.numbers[m.key], n.held[m.key] = m.key, number, id
		m.kind, m.number = m2, number
		n.seal(m)
		return
	case m2:
		if _, ok := n.last[m.id]; !ok {
			return
		}
		n.numbers[m.key] = m.number
		n.last[m.id] = message{kind: m3, key: m.key}
		n.do(n.m.Established(now, Candidate{ID: m.id, Number: m.number, Kind: Full, Role: Initiator}))
		return
	case m3:
		if id, ok := n.held[m.key]; ok {
			delete(n.held, m.key)
			n.do(n.m.Established(now, Candidate{ID: id, Number: n.numbers[m.key], Kind: Full, Role: Responder}))
		}
		return
	}
	via, ok := n.recv[m.under]
	if !ok {
		n.w.unknown++
		return
	}
	if m.kind == data {
		n.w.received++
	}
	n.do(n.m.Opened(now, via))
	switch m.kind {
	case m1r:
		n.receiveM1r(via, m)
	case m2r:
		n.receiveM2r(m)
	case m3r:
		if id, ok := n.recv[m.key]; ok {
			n.do(n.m.Finished(now, id))
		}
	}
}

func (n *node) receiveM1r(via uint64, m message) {
	n.w.t.Helper()
	actions := n.m.Asked(n.w.now, via, m.attempt, Message(m.id))
	n.do(actions)
	last := Action{}
	if len(actions) > 0 {
		last = actions[len(actions)-1]
	}
	switch {
	case last.Op != Answer:
	case last.Number != m.number || last.Attempt != m.attempt || last.Msg != Message(m.id):
		n.w.t.Fatalf("%s answers %v to %+v", n.name, last, m)
	case n.deaf > 0:
		n.deaf--
		n.do(n.m.AnswerFailed(n.w.now, last.ID))
	default:
		n.keys[last.ID], n.numbers[m.key] = m.key, m.number
		n.last[last.ID] = message{kind: m2r, key: m.key, id: m.id}
		n.do(n.m.AnswerMade(n.w.now, last.ID))
	}
}

func (n *node) receiveM2r(m message) {
	n.w.t.Helper()
	if l, ok := n.last[m.id]; !ok || l.key != m.key {
		return
	}
	if n.fail > 0 {
		n.fail--
		n.do(n.m.Failed(n.w.now, m.id))
		return
	}
	if id, ok := n.m.Current(); ok && id == m.id {
		return
	}
	n.last[m.id] = message{kind: m3r, key: m.key}
	n.do(n.m.Answered(n.w.now, m.id))
}
