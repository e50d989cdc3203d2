package pathset

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// perform executes an action of a meeting.
func (t *talks) perform(a paths.Action, now time.Time) {
	seat := t.x.c.Seat
	opener, opens := t.x.c.Network.(link.Opener)
	switch a.Op {
	case paths.Ask:
		t.meet(t.of(a.Hub), a, now)
	case paths.Answer:
		k := t.of(a.Hub)
		bare := !a.Yes || k.invited == nil || k.invited.Bare
		t.located(&k.metWaits, bare, func(now time.Time) { t.answer(k, a, now) }, now)
	case paths.Ready:
		seat.Send(a.Hub, wire.Ready{ID: t.of(a.Hub).asked, Caller: seat.Self()}.Append(nil))
	case paths.Suspect:
		seat.Suspect(a.Hub)
	case paths.Openers:
		if opens {
			opener.SendOpeners(a.Remotes)
		}
		t.x.handle(now, t.x.machine.Opened)
	case paths.Knock:
		if opens {
			opener.SendKnocks(a.Remotes)
		}
	default:
		t.spray(a, now)
	}
}

// A held frame waits for news of where this node is.
type held struct {
	send func(now time.Time) // nil: none waits
	to   time.Time
}

// located does f once hubs have said where this node is; at once if that does not
// matter. The newer one takes the place of one that waits.
func (t *talks) located(w *held, anyway bool, f func(now time.Time), now time.Time) {
	*w = held{}
	if !anyway {
		if wait := t.x.c.Seat.Refresh(now); wait > 0 {
			*w = held{f, now.Add(wait)}
			return
		}
	}
	f(now)
}

// elsewhere drops METs that wait: their openers left from another network than the one that
// they would name. The peer repeats its MEET.
func (t *talks) elsewhere() {
	for _, k := range t.all {
		k.metWaits = held{}
	}
}

// release sends a frame that has waited long enough.
func (w *held) release(now time.Time) {
	if f := w.send; f != nil && !now.Before(w.to) {
		*w = held{}
		f(now)
	}
}

// meet sends a MEET, the same again if it is not the first. The older one is over: it is
// not repeated, and no answer to it counts. A loop that is late may want the repetition
// while the first waits, which leaves then.
func (t *talks) meet(k *talk, a paths.Action, now time.Time) {
	if a.Count > 1 && k.meet != nil {
		t.x.c.Seat.Send(k.hub, k.meet)
		return
	}
	k.meet = nil
	t.located(&k.meetWaits, a.Bare || a.Count > 1, func(time.Time) {
		if t.x.machine.Asks(k.hub) { // else the peer has asked meanwhile
			t.ask(k, a)
		}
	}, now)
}

// ask sends a MEET with an id of its own. What cannot leave is lost, as in a network.
func (t *talks) ask(k *talk, a paths.Action) {
	seat := t.x.c.Seat
	id, err := seat.Name(k.hub)
	if err != nil || !t.open(k) {
		return
	}
	m := wire.Meet{ID: id, Other: seat.Peer(), Label: k.circuit.Label()}
	if !a.Bare {
		m.Candidates = seat.Candidates(false)
	}
	if m.Flags = sprayFlags(a); a.Plain {
		m.Flags |= wire.MeetPlain
	}
	k.asked, k.asking, k.meet = id, true, m.Append(nil)
	seat.Send(k.hub, k.meet)
}

// answer answers the peer's newest MEET: yes with a MET, from which the circuit stands.
func (t *talks) answer(k *talk, a paths.Action, now time.Time) {
	n, seat := k.invited, t.x.c.Seat
	if n == nil {
		return
	}
	if !a.Yes || !t.open(k) {
		seat.Send(k.hub, wire.NotMet{ID: n.ID, Caller: seat.Peer(), Reason: wire.RefusalAbsent}.Append(nil))
		return
	}
	k.sendUnder(n.Label)
	m := wire.Meet{Met: true, ID: n.ID, Other: seat.Peer(), Label: k.circuit.Label(), Flags: sprayFlags(a)}
	if !n.Bare {
		m.Candidates = seat.Candidates(false)
	}
	if !n.Bare && !a.Spray {
		t.await(n.Candidates, k.hub)
	}
	k.met, k.answered, k.name, k.ended = m.Append(nil), n.ID, n.ID, false
	seat.Send(k.hub, k.met)
	t.enter(k, now)
}

// await waits for a knock from one of the peer's candidates; without any for none.
func (t *talks) await(from []paths.Candidate, by paths.Hub) {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
	opener, ok := t.x.c.Network.(link.Opener)
	if !ok || len(from) == 0 {
		return
	}
	remotes := make([]netip.AddrPort, len(from))
	for i, c := range from {
		remotes[i] = c.Remote
	}
	t.stop = opener.Await(remotes, func(remote netip.AddrPort) {
		t.x.c.Owner.Later(func(now time.Time) {
			e := paths.MeetEvent{Step: paths.Knocked, Remote: remote}
			t.x.handle(now, func(now time.Time) []paths.Action { return t.x.machine.Meeting(now, by, e) })
		})
	})
}

// labels takes what a hub says of a leg's labels. News is answered by a new label of
// ours, which is told until the hub sends under it.
func (t *talks) labels(k *talk, n meeting.News, now time.Time) {
	switch {
	case k.circuit == nil || k.name != n.ID:
	case k.label != n.Label:
		k.sendUnder(n.Label)
		t.relabel(k, now)
	case n.Out == k.circuit.Label():
		k.tellAt = time.Time{}
	default:
		t.tell(k, now)
	}
}

// relabel draws another label for a circuit and tells the hub.
func (t *talks) relabel(k *talk, now time.Time) {
	if k.circuit == nil || t.x.idOf(k.circuit) == 0 {
		return
	}
	if _, err := k.circuit.Relabel(); err != nil {
		return // the old one stays
	}
	id := t.x.idOf(k.circuit)
	t.x.handle(now, func(now time.Time) []paths.Action { return t.x.machine.Revisit(now, id, paths.Told) })
	k.tellGap = labelAgain
	t.tell(k, now)
}

// tell says both labels of our leg.
func (t *talks) tell(k *talk, now time.Time) {
	seat := t.x.c.Seat
	m := wire.Meet{Met: true, ID: k.name, Other: seat.Peer(), Label: k.circuit.Label(), Flags: wire.MetLabels, Sealed: k.label[:]}
	seat.Send(k.hub, m.Append(nil))
	if k.tellAt = now.Add(k.tellGap); k.tellGap > labelLast || k.tellGap == 0 {
		k.tellAt = time.Time{}
	}
	k.tellGap *= 2
}

// tick tells labels again, and goes on with what has waited for news.
func (t *talks) tick(now time.Time) {
	for _, k := range t.all {
		k.meetWaits.release(now)
		k.metWaits.release(now)
		if k.circuit == nil {
			k.tellAt = time.Time{}
		} else if !k.tellAt.IsZero() && !now.Before(k.tellAt) {
			t.tell(k, now)
		}
	}
}

func (t *talks) deadline() (first time.Time) {
	for _, k := range t.all {
		first = sooner(first, sooner(k.tellAt, sooner(k.meetWaits.to, k.metWaits.to)))
	}
	return first
}
