package pathset

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A talk is what the session and one hub have: the newest meeting of each end, and the
// circuit.
type talk struct {
	hub      paths.Hub
	circuit  *circuit.Path // nil: none. It is a path of the machine from the first MET on
	meet     []byte        // our newest MEET, which is repeated as it was; nil: none
	asked    uint32        // its id
	asking   bool          // it has no answer
	invited  *meeting.News // the peer's newest MEET
	met      []byte        // our newest MET
	answered uint32        // its id
	name     uint32        // id of the meeting that the hub has the circuit by
	ended    bool          // the hub has ended that, and our newest MEET may take its place

	meetWaits held
	metWaits  held

	label   wire.RecordID // where the hub receives
	tellAt  time.Time     // our labels are told again; zero: the hub knows them
	tellGap time.Duration
}

const (
	// labelAgain is the gap before labels are told to the hub again, doubled until it
	// is above labelLast.
	labelAgain = 250 * time.Millisecond
	labelLast  = 8 * time.Second
)

// talks are those with all hubs.
type talks struct {
	x    *Set
	all  map[paths.Hub]*talk
	hubs int    // that can be asked
	stop func() // ends the waiting for a knock; nil: nobody waits

	stopPorts func() // ends what a spray has begun; nil: nothing
}

// of is the talk with a hub.
func (t *talks) of(h paths.Hub) *talk {
	k := t.all[h]
	if k == nil {
		k = &talk{hub: h}
		t.all[h] = k
	}
	return k
}

// changed takes note that a hub can be asked or cannot. What it forwarded has ended
// with it.
func (t *talks) changed(h paths.Hub, up bool) {
	k, known := t.all[h]
	switch {
	case up && !known:
		t.all[h] = &talk{hub: h}
	case !up && known:
		k.close()
		delete(t.all, h)
	}
	t.hubs = len(t.all)
}

// clear ends all that hubs forward.
func (t *talks) clear() {
	for h, k := range t.all {
		k.close()
		t.all[h] = &talk{hub: h}
	}
	t.await(nil, 0)
	t.endSpray()
}

// close ends the circuit, if there is one.
func (k *talk) close() {
	if k.circuit != nil {
		k.circuit.Close()
		k.circuit = nil
	}
}

// sendUnder takes the label under which the hub receives from now on.
func (k *talk) sendUnder(l wire.RecordID) {
	k.label = l
	if k.circuit != nil {
		k.circuit.SendUnder(l)
	}
}

// open makes the circuit of a talk, unless there is one.
func (t *talks) open(k *talk) bool {
	if k.circuit != nil {
		return true
	}
	c, err := t.x.c.Seat.Open(k.hub)
	if err != nil {
		return false
	}
	k.circuit = c
	return true
}

// enter makes the circuit a path of the machine, unless it is one.
func (t *talks) enter(k *talk, now time.Time) {
	if t.x.idOf(k.circuit) == 0 {
		t.x.add(&route{Path: k.circuit, via: k.hub}, paths.Forwarded, false, now)
	}
}

// dropped closes a circuit that the machine has dropped.
func (t *talks) dropped(r *route) {
	for _, k := range t.all {
		if k.circuit != nil && r.Path == link.Path(k.circuit) {
			k.close()
		}
	}
}

// withdrawn ends the circuit that a hub has by this id. Of two MEETs that cross the hub
// takes one, and ends what this end has agreed to for the other: if the one is ours, which
// names the same circuit, it stays until that has its answer.
func (t *talks) withdrawn(k *talk, id uint32, now time.Time) {
	own := k.asking && k.asked == id
	if own {
		k.asking = false
	}
	switch {
	case k.circuit == nil, k.name != id && !(own && k.ended):
		return
	case k.asking:
		k.ended = true
		return
	}
	if p := t.x.idOf(k.circuit); p != 0 {
		t.x.handle(now, func(now time.Time) []paths.Action { return t.x.machine.Gone(now, p) })
	}
}

// through is the hub by which a connection goes; 0: by none.
func (t *talks) through(c link.Conn) paths.Hub {
	if t.x.c.Seat == nil {
		return 0
	}
	return t.x.c.Seat.Through(c.Remote())
}

// targets are where a dial goes; none: to where the session knows the peer.
func (t *talks) targets(a paths.Action) []netip.AddrPort {
	to := slices.Clone(a.Remotes)
	if k := t.all[a.Hub]; k != nil && k.circuit != nil {
		to = append(to, k.circuit.Remote())
	}
	return to
}
