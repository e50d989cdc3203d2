package discovery

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// takesRounds gives a rig peers that are wanted as said, and returns what makes a
// round and says how many questions it sent.
func (r *rig) takesRounds(wanted *[]did.DID) (round func(after time.Duration) int) {
	r.c.Peers = func(yield func(Peer) bool) {
		for _, p := range *wanted {
			if !yield(Peer{p, true}) {
				return
			}
		}
		yield(Peer{name(99), false})
	}
	r.c.Interfaces = func() ([]Interface, error) { return []Interface{iface(3, "fe80::1/64")}, nil }
	r.rescan(r.now)
	return func(after time.Duration) int {
		r.talk.sent = nil
		r.now = r.now.Add(after)
		r.round(r.now)
		return len(r.talk.sent)
	}
}

func TestNothingIsSentWhileNobodyIsWanted(t *testing.T) {
	var wanted []did.DID
	r := newRig()
	round := r.takesRounds(&wanted)
	for range 100 {
		if n := round(time.Second); n > 0 {
			t.Fatalf("%d questions", n)
		}
	}
	wanted = names(2, 100)
	if n := round(time.Second); n != 2 {
		t.Errorf("%d questions for 99 peers", n)
	}
	if to := r.talk.sent[0].to; to != r.f.everybody() || to.Port() != 4243 || !to.Addr().IsLinkLocalMulticast() {
		t.Errorf("sent to %v", to)
	}
	if _, _, ok := newBook(name(50), names(1, 1)).sender(mustParse(t, r.talk.sent[0].data), at("fe80::1")); !ok {
		t.Error("peer 50 does not understand")
	}
}

// On a LAN that is new everybody who is wanted is asked for at once, and a few times
// more; a change that adds none costs nothing, and nobody is asked for again where
// this host was before.
func TestANewLANIsAskedAtOnce(t *testing.T) {
	wanted := names(2, 2)
	r := newRig()
	round := r.takesRounds(&wanted)
	r.fresh = nil
	for range 600 {
		round(time.Second)
	}
	for round(time.Second) == 0 { // just asked: the next would be a minute away
	}
	for range 5 {
		if n := round(time.Second); n > 0 {
			t.Fatal("asked again without a reason")
		}
	}
	for range 3 { // a container, or a port of a bridge
		r.Changed()
		if n := round(time.Second); n > 0 {
			t.Fatalf("%d questions after a change that adds no LAN", n)
		}
	}
	r.c.Interfaces = func() ([]Interface, error) {
		return []Interface{iface(3, "fe80::1/64"), iface(4, "fe80::4/64")}, nil
	}
	r.Changed()
	for i := range freshRounds {
		if n := round(time.Second); n != 1 {
			t.Errorf("round %d on a new LAN: %d questions", i, n)
		}
	}
	if n := round(time.Second); n != 0 || len(r.fresh) > 0 {
		t.Errorf("%d questions after that", n)
	}
}

// However often the host changes, listing its interfaces takes no more than a
// fiftieth of the time; a change in between is looked at as soon as it may be, and the
// loop is woken up for it once.
func TestScansForChangesAreBoundedByAShareOfTime(t *testing.T) {
	bubble.Test(t, scansAreBounded) // where a scan takes what it is said to take
}

func scansAreBounded(t *testing.T) {
	var wanted []did.DID
	r := newRig()
	r.takesRounds(&wanted)
	const cost = 60 * time.Millisecond
	scans := 0
	r.c.Interfaces = func() ([]Interface, error) { scans++; time.Sleep(cost); return nil, nil }
	r.rescan(r.now)
	for end := r.now.Add(time.Minute); r.now.Before(end); {
		for len(r.wake) > 0 {
			<-r.wake
		}
		r.Changed()
		woken := len(r.wake)
		r.Changed()
		if len(r.wake) != woken {
			t.Fatal("woken up again for one round")
		}
		due := r.round(r.now)
		most := rescanEvery
		if r.changed.Load() {
			most = 2 * scanShare * cost
		}
		if d := due.Sub(r.now); d < tick || d > most {
			t.Fatalf("the next round is due after %v", d)
		}
		r.now = r.now.Add(tick)
	}
	if most := int(time.Minute/(scanShare*cost)) + 1; scans < 2 || scans > most {
		t.Errorf("%d scans of %v in a minute, at most %d", scans, cost, most)
	}
}

// A round says when the next one is due, so that nobody wakes up for nothing: at
// the next question or look at the interfaces, a second later at the soonest.
func TestRoundsAreAsRareAsQuestions(t *testing.T) {
	var wanted []did.DID
	r := newRig()
	r.takesRounds(&wanted)
	next := func() time.Duration {
		due := r.round(r.now)
		d := due.Sub(r.now)
		r.now = due
		return d
	}
	if d := next(); d != rescanEvery {
		t.Errorf("with nobody to ask for, the next round is due after %v", d)
	}
	wanted = names(2, 3)
	rounds, asked := 0, r.now
	for r.now.Sub(asked) < 10*time.Minute {
		if d := next(); d < tick || d > rescanEvery {
			t.Fatalf("the next round is due after %v", d)
		}
		rounds++
	}
	if rounds > 60 {
		t.Errorf("%d rounds in 10 minutes for peers that are asked for once a minute", rounds)
	}
}
