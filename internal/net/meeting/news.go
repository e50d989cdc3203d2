package meeting

import (
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// News is what a hub has brought of a meeting.
type News struct {
	Hub        paths.Hub
	Step       paths.MeetStep // 0: the labels of a leg
	ID         uint32
	Label      wire.RecordID // where the hub receives; of Asked, Met and labels
	Out        wire.RecordID // labels: under which it sends; zero: it knows none
	Plain      bool          // Asked: no openers are needed
	Bare       bool          // Asked: a circuit alone is asked for
	Part       paths.Part    // of the peer in a spray
	Spray      bool          // the peer wants one
	Candidates []paths.Candidate
}

// Frame takes a frame of meeting that came in the session with a node. It reports
// false for one that is not of a hub for this node as an end.
func (b *Board) Frame(from DID, f []byte) bool {
	if peer, ok := b.absent(from, f); ok && b.c.Absent(peer, func() { b.frame(from, f) }) {
		return true
	}
	return b.frame(from, f)
}

// absent is the node without a seat with which a frame of a hub brings a meeting.
func (b *Board) absent(from DID, f []byte) (peer DID, ok bool) {
	if b.c.Absent == nil || !wire.IsFrame(f, wire.FrameMeet) {
		return peer, false
	}
	m, ok := wire.ParseMeet(f)
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hub(from)
	return m.Other, ok && m.Flags&wire.MeetFromHub != 0 && h != nil && h.host != nil && m.Other != from && b.seats[m.Other] == nil
}

func (b *Board) frame(from DID, f []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hub(from)
	if h == nil || h.host == nil {
		return false
	}
	switch typ, _ := wire.FrameType(f); typ {
	case wire.FrameMeet, wire.FrameMet:
		m, ok := wire.ParseMeet(f)
		return ok && m.Flags&wire.MeetFromHub != 0 && b.meet(h, &m)
	case wire.FrameReady:
		r, ok := wire.ParseReady(f)
		return ok && r.Caller != from && b.pass(name{h.name, r.Caller, r.ID}, paths.Readied)
	case wire.FrameNotMet:
		n, ok := wire.ParseNotMet(f)
		return ok && b.pass(name{h.name, n.Caller, n.ID}, paths.NotMet)
	}
	return false
}

// meet hands MEET, MET and labels to the session with the other end. Without one the
// caller hears what it hears of everybody who is not there. The caller holds the lock.
func (b *Board) meet(h *hub, m *wire.Meet) bool {
	s := b.seats[m.Other]
	n := News{Hub: h.name, ID: m.ID, Label: m.Label, Plain: m.Flags&wire.MeetPlain != 0, Part: partOf(m.Flags), Spray: m.Flags&wire.MeetSpray != 0,
		Bare: len(m.Candidates.All()) == 0, Candidates: b.judge(m.Candidates)}
	switch {
	case m.Other == h.did || m.Met && s == nil:
		return false
	case m.Met && m.Flags&wire.MetLabels != 0:
		out, ok := m.Labels()
		if !ok {
			return false
		}
		n.Out = out
	case m.Met:
		n.Step = paths.Met
		s.met(h)
	case s == nil:
		h.host.SendFrame(wire.NotMet{ID: m.ID, Caller: m.Other, Reason: wire.RefusalAbsent}.Append(nil))
		return true
	default:
		n.Step = paths.Asked
		s.met(h)
		s.name(1, name{h.name, m.Other, m.ID})
	}
	s.guest.Brought(n)
	return true
}

// pass hands a step to the session whose meeting it is. The caller holds the lock.
func (b *Board) pass(x name, step paths.MeetStep) bool {
	s := b.names[x]
	if s == nil {
		return false
	}
	s.guest.Brought(News{Hub: x.hub, Step: step, ID: x.id})
	return true
}
