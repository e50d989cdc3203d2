package hub

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// do performs actions in order. What they bring about are the next events.
func (h *Hub) do(now time.Time, actions []relay.Action) {
	var failed, looked []relay.Circuit
	for i := range actions {
		switch a := &actions[i]; a.Op {
		case relay.Fill:
			if !h.table.fill(a, h.live[a.From], h.live[a.To]) {
				failed = append(failed, a.Circuit)
			}
		case relay.Empty:
			h.table.empty(a.Label)
		case relay.Look:
			looked = append(looked, a.Circuit)
		case relay.Leave:
			h.atHome(a.To, false)
		default:
			h.send(a)
		}
	}
	for _, c := range failed {
		h.do(now, h.machine.Failed(now, c))
	}
	for _, c := range looked {
		h.do(now, h.machine.Used(now, c, h.table.used(c)))
	}
}

func (h *Hub) atHome(did relay.DID, at bool) {
	if h.c.AtHome != nil {
		h.c.AtHome(did, at)
	}
}

// send sends the frame of an action. One that cannot leave is lost, as in a network.
func (h *Hub) send(a *relay.Action) {
	b := h.frame[:0]
	switch a.Op {
	case relay.SendMeet, relay.SendMet:
		b = h.passOn(a).Append(b)
	case relay.SendReady:
		b = wire.Ready{ID: a.ID, Caller: a.Other}.Append(b)
	case relay.SendNotMet:
		b = wire.NotMet{ID: a.ID, Caller: a.Other, Reason: wire.Refusal(a.Reason)}.Append(b)
	case relay.SendLabel:
		m := wire.Meet{Met: true, ID: a.ID, Other: a.Other, Label: wire.RecordID(a.Label), Flags: wire.MeetFromHub | wire.MetLabels, Sealed: a.Out[:]}
		b = m.Append(b)
	case relay.SendHome:
		if a.Lifetime > 0 {
			h.atHome(a.To, true)
		}
		b = wire.Home{Answer: true, Lifetime: a.Lifetime, Circuits: a.Left}.Append(b)
	default:
		panic("hub: internal error: the machine asks for what this package does not know")
	}
	h.frame = b
	h.c.Send(a.To, b)
}

// passOn is the frame of an end as the other end gets it: candidates, sealed part and
// flags of the end as they came, but for parts in a spray if the hub does not see the end
// where it says that it is seen.
func (h *Hub) passOn(a *relay.Action) *wire.Meet {
	m := *h.passing
	m.Other, m.Label, m.RTT = a.Other, wire.RecordID(a.Label), a.RTT
	m.Flags |= wire.MeetFromHub
	if from := h.peer(a.Other); from == nil || !from.leg.Load().sees(&m.Candidates) {
		m.Flags &^= wire.MeetOpens | wire.MeetKnocks
	}
	return &m
}
