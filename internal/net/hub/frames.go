package hub

import (
	"bytes"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Frame takes a frame of meeting from the session with a peer. It reports whether the
// frame is for a hub: such a frame has been taken, or dropped because too many wait.
//
// NOT_MET with a third node as the caller may be of a callee of a meeting through
// this hub, or of a hub that withdraws a circuit from this node. Frame takes both: the
// end's side is to be asked first, and knows its own by sender, id and caller.
func (h *Hub) Frame(from relay.DID, frame []byte) bool {
	switch typ, _ := wire.FrameType(frame); typ {
	case wire.FrameMeet, wire.FrameMet:
		m, ok := wire.ParseMeet(frame)
		if !ok || m.Flags&wire.MeetFromHub != 0 {
			return false
		}
		return h.meet(from, m)
	case wire.FrameReady:
		r, ok := wire.ParseReady(frame)
		if !ok || r.Caller != from {
			return false
		}
		h.post(from, func(now time.Time) { h.do(now, h.machine.Ready(now, from, r.ID)) })
		return true
	case wire.FrameNotMet:
		n, ok := wire.ParseNotMet(frame)
		if !ok {
			return false
		}
		h.post(from, func(now time.Time) { h.do(now, h.machine.NotMet(now, from, n.ID, n.Caller)) })
		return true
	case wire.FrameHome:
		a, ok := wire.ParseHome(frame)
		if !ok || a.Answer {
			return false
		}
		h.post(from, func(now time.Time) { h.do(now, h.machine.Home(now, from, a.Lifetime)) })
		return true
	}
	return false
}

// meet takes MEET and MET of an end. What they have for the other end is kept until
// the machine has decided whether it is passed on.
func (h *Hub) meet(from relay.DID, m wire.Meet) bool {
	x := relay.Meeting{ID: m.ID, Other: m.Other}
	if m.Met && m.Flags&wire.MetLabels != 0 {
		heard, ok := m.Labels()
		if ok {
			h.post(from, func(now time.Time) {
				h.do(now, h.machine.Relabel(now, from, x, relay.Label(m.Label), relay.Label(heard)))
			})
		}
		return ok
	}
	m.Sealed = bytes.Clone(m.Sealed)
	h.post(from, func(now time.Time) {
		h.passing = &m
		if m.Met {
			h.do(now, h.machine.Met(now, from, x, relay.Label(m.Label)))
		} else {
			h.do(now, h.machine.Meet(now, from, x, relay.Label(m.Label)))
		}
	})
	return true
}

// post hands the event of a frame to the goroutine. What one peer sends takes no place
// of another's.
func (h *Hub) post(from relay.DID, event func(now time.Time)) {
	x := h.peer(from)
	if x == nil {
		return
	}
	if x.waiting.Add(1) > maxWaiting || !h.box.PostBounded(func(now time.Time) {
		x.waiting.Add(-1)
		event(now)
	}) {
		x.waiting.Add(-1)
		h.status.ignored.Add(1)
	}
}
