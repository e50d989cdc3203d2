package gossip

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

var start = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

// world is one machine with peers 1 to 9, members all but 9.
type world struct {
	t       *testing.T
	m       *Machine
	now     time.Time
	removed map[Peer]bool
}

func (w *world) Member(_ ID, p Peer) bool { return p[0] != 9 && !w.removed[p] }
func (w *world) Removed(p Peer) bool      { return w.removed[p] }

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: start, removed: make(map[Peer]bool)}
	w.m = New(w, rand.New(rand.NewPCG(1, 2)))
	return w
}

func who(n byte) Peer { return Peer{n} }

// held is a network with a head, one roster and so many removals.
func held(head, roster uint64, removals byte) wire.News {
	n := wire.News{Network: [32]byte{1}, Head: head, Removals: [32]byte{removals}}
	if roster > 0 {
		n.Rosters = []wire.RosterSerial{{Issuer: [8]byte{1}, Serial: roster}}
	}
	return n
}

var home = ID{1}

// want compares actions: "say 1", "fetch 2", "admit".
func (w *world) want(got []Action, want ...string) {
	w.t.Helper()
	var text []string
	for _, a := range got {
		s := fmt.Sprintf("%v %d", a.Op, a.Peer[0])
		switch {
		case a.Op == Admit:
			s = "admit"
		case a.Op == Answer && a.Status != wire.AnswerAll:
			s += fmt.Sprintf(" status %d", a.Status)
		}
		text = append(text, s)
	}
	if !slices.Equal(text, want) {
		w.t.Errorf("at %v: got %q, want %q", w.now.Sub(start), strings.Join(text, ", "), strings.Join(want, ", "))
	}
}

// pass lets time pass until something happens, or a time at the most.
func (w *world) pass(most time.Duration) []Action {
	end := w.now.Add(most)
	for {
		at := w.m.Deadline(w.now)
		if at.IsZero() || at.After(end) {
			w.now = end
			return nil
		}
		if at.After(w.now) {
			w.now = at
		}
		if out := w.m.Tick(w.now); out != nil {
			return out
		}
	}
}

// SPEC R-10.6-4: nothing is said to, and nothing fetched from, a peer that cannot take it.
func TestOnlyCapablePeersAreTold(t *testing.T) {
	w := newWorld(t)
	w.want(w.m.Open(w.now, held(1, 1, 0), nil), "admit")
	w.want(w.m.Up(w.now, who(1), false))
	w.want(w.m.Heard(w.now, who(1), held(2, 2, 0)))
	w.want(w.m.Up(w.now, who(2), true), "say 2")
	w.want(w.m.Changed(w.now, held(1, 2, 1), true), "say 2")
}

// SPEC R-10.6-5: a peer that is no member is told nothing and answered with status 3, and
// so is whoever asks for a network that is not here.
func TestStrangersOfANetworkHaveNoEffect(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.want(w.m.Up(w.now, who(9), true))
	w.want(w.m.Heard(w.now, who(9), held(5, 5, 5)))
	w.want(w.m.Asked(w.now, who(9), held(1, 0, 0)), "answer 9 status 3")
	w.m.Up(w.now, who(1), true)
	other := held(5, 5, 5)
	other.Network = [32]byte{2}
	w.want(w.m.Heard(w.now, who(1), other))
	w.want(w.m.Asked(w.now, who(1), other), "answer 1 status 3")
	w.want(w.m.Asked(w.now, who(1), held(1, 0, 0)), "answer 1")
}

// SPEC R-10.6-6: a removed member is closed at once, whatever it can, and when it comes again.
func TestARemovedMemberIsClosedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	for i := range byte(3) {
		w.m.Up(w.now, who(i+1), i != 1)
	}
	w.removed[who(1)], w.removed[who(2)] = true, true
	w.want(w.m.Changed(w.now, held(1, 1, 1), true), "close 1", "close 2", "say 3")
	w.want(w.m.Up(w.now, who(1), true), "close 1")
	w.want(w.m.Heard(w.now, who(1), held(9, 9, 9)))
	w.want(w.m.Asked(w.now, who(1), held(1, 0, 0)), "answer 1 status 3")
}

// Additions are paced by how many fetch, up to 10 s, removals are not, and not to whom they came from.
func TestAdditionsArePacedAndRemovalsAreNot(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.m.Up(w.now, who(1), true)
	w.m.Heard(w.now, who(1), held(1, 1, 0))
	w.want(w.m.Changed(w.now, held(1, 2, 0), false), "say 1")
	w.m.Heard(w.now, who(1), held(1, 2, 0))
	w.now = w.now.Add(sayLeast / 4)
	w.want(w.m.Changed(w.now, held(1, 3, 0), false))
	w.want(w.m.Changed(w.now, held(1, 4, 0), false))
	w.want(w.pass(time.Minute), "say 1")
	if d := w.now.Sub(start); d != sayLeast {
		t.Error("said after", d)
	}
	w.m.Heard(w.now, who(1), held(1, 4, 0))
	w.want(w.m.Changed(w.now, held(1, 4, 1), true), "say 1")
	w.m.Heard(w.now, who(1), held(1, 4, 1))
	w.want(w.m.Heard(w.now, who(1), held(1, 5, 1)), "fetch 1")
	w.want(w.m.Changed(w.now, held(1, 5, 1), false))
	w.want(w.m.Fetched(w.now, who(1), home, Took))
	w.want(w.pass(time.Hour))
}

// NEWS may be lost: it is said five times more, unless the peer shows that it holds as much.
func TestNewsIsRepeated(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.want(w.m.Up(w.now, who(1), true), "say 1")
	for _, d := range []time.Duration{1, 3, 7, 15, 31} {
		w.want(w.pass(time.Hour), "say 1")
		if at := w.now.Sub(start); at != d*time.Second {
			t.Errorf("said after %v, not %d s", at, d)
		}
	}
	w.want(w.pass(time.Hour))
	w.want(w.m.Changed(w.now, held(1, 2, 0), false), "say 1")
	w.want(w.m.Asked(w.now, who(1), held(1, 1, 0)), "answer 1")
	w.want(w.m.Answered(w.now, who(1), held(1, 2, 0), true))
	w.want(w.pass(time.Hour))
	w.want(w.m.Heard(w.now, who(1), held(1, 2, 0)))
	w.want(w.m.Heard(w.now, who(1), held(1, 2, 0)), "say 1") // it has lost ours
	w.want(w.m.Heard(w.now, who(1), held(1, 2, 0)))
}

// One fetch at a time in a network; one that stalls gives way to another source.
func TestAStalledSourceIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.m.Up(w.now, who(1), true)
	w.m.Up(w.now, who(2), true)
	w.want(w.m.Heard(w.now, who(1), held(1, 2, 0)), "fetch 1")
	w.want(w.m.Heard(w.now, who(2), held(1, 2, 0)))
	w.now = w.now.Add(4 * time.Second)
	w.m.Progress(w.now, who(1), home)
	w.now = w.now.Add(4 * time.Second)
	w.m.Tick(w.now)
	for w.now.Before(start.Add(9 * time.Second)) {
		if out := w.pass(time.Second); len(out) > 0 && out[0].Op == Cancel {
			w.want(out, "cancel 1", "fetch 2")
		}
	}
	w.want(w.m.Fetched(w.now, who(1), home, Took)) // too late
	w.m.Changed(w.now, held(1, 2, 0), false)
	w.want(w.m.Fetched(w.now, who(2), home, Took))
}

// A trickle does not hold a network's fetch for ever.
func TestATrickleEnds(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.m.Up(w.now, who(1), true)
	w.m.Heard(w.now, who(1), held(1, 2, 0))
	for range 1000 {
		w.now = w.now.Add(time.Second)
		w.m.Progress(w.now, who(1), home)
		if slices.ContainsFunc(w.m.Tick(w.now), func(a Action) bool { return a.Op == Cancel }) {
			break
		}
	}
	if d := w.now.Sub(start); d != fetchTime {
		t.Error("it ended after", d)
	}
}

// A trickle gives way to another source after 10 s; so does that one, after 20 s.
func TestATrickleGivesWay(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	for i := range byte(3) {
		w.m.Up(w.now, who(i+1), true)
		w.m.Heard(w.now, who(i+1), held(1, 1, 1))
	}
	from, began := who(1), w.now
	for _, want := range []time.Duration{yieldFirst, 2 * yieldFirst} {
		for next := from; ; {
			w.now = w.now.Add(100 * time.Millisecond)
			w.m.Progress(w.now, from, home)
			for _, a := range w.m.Tick(w.now) {
				if a.Op == Fetch {
					next = a.Peer
				}
			}
			if next != from {
				from = next
				break
			}
		}
		if d := w.now.Sub(began); d != want {
			t.Errorf("it gave way after %v, not %v", d, want)
		}
		began = w.now
	}
	if from == who(1) {
		t.Error("the source that failed is asked before one that has not")
	}
}

// After a start a node asks its hub before it lets members in; a hub that is away, mute or
// broken delays it by 5 s at the most.
func TestTheHomeHubIsAskedFirst(t *testing.T) {
	open := func(capable bool) *world {
		w := newWorld(t)
		w.want(w.m.Open(w.now, held(1, 1, 0), []Peer{who(1), who(2)}))
		if capable {
			w.want(w.m.Up(w.now, who(1), true), "say 1")
		}
		return w
	}
	w := open(true)
	w.want(w.m.Heard(w.now, who(1), held(1, 1, 0)), "admit")
	w = open(true)
	w.want(w.m.Heard(w.now, who(1), held(1, 1, 1)), "fetch 1")
	w.removed[who(3)] = true
	w.want(w.m.Changed(w.now, held(1, 1, 1), true), "admit")
	w = open(true)
	w.want(w.m.Heard(w.now, who(1), held(1, 2, 0)), "fetch 1")
	w.want(w.m.Fetched(w.now, who(1), home, Failed))
	w.want(w.m.Up(w.now, who(2), true), "say 2")
	w.want(w.m.Heard(w.now, who(2), held(1, 1, 0)), "admit")
	w = open(false)
	w.want(w.m.Up(w.now, who(2), false), "admit")
	w = open(false)
	w.want(w.pass(time.Minute), "admit")
	if d := w.now.Sub(start); d != homeWait {
		t.Error("it waited for", d)
	}
}

// Heads that were missed come one by one in the answer; a source that lacks some of them
// fails, and another is asked.
func TestASourceWithoutTheMissedHeadsIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.m.Up(w.now, who(1), true)
	w.m.Up(w.now, who(2), true)
	w.want(w.m.Heard(w.now, who(1), held(5, 1, 0)), "fetch 1")
	w.m.Heard(w.now, who(2), held(4, 1, 0))
	w.want(w.m.Fetched(w.now, who(1), home, Failed), "fetch 2")
	w.m.Changed(w.now, held(4, 1, 0), false)
	w.m.Heard(w.now, who(2), held(4, 1, 0))
	w.m.Fetched(w.now, who(2), home, Took)
	for w.now.Before(start.Add(2 * time.Second)) {
		for _, a := range w.pass(time.Second) {
			if a.Op == Fetch && a.Peer == who(1) && a.News.Head == 4 {
				return
			}
		}
	}
	t.Error("the first source is not asked again with what is held now")
}

// Answers are bounded: one a peer at a time, eight at once and then one a second, and none
// that the peer does not read.
func TestAnswersAreBounded(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.m.Up(w.now, who(1), true)
	w.m.Heard(w.now, who(1), held(1, 1, 0))
	w.want(w.m.Asked(w.now, who(1), held(1, 0, 0)), "answer 1")
	w.want(w.m.Asked(w.now, who(1), held(1, 0, 0)), "answer 1 status 2")
	w.want(w.pass(time.Hour), "stop 1")
	if d := w.now.Sub(start); d != answerTime {
		t.Error("stopped after", d)
	}
	answered := 0
	for range 100 {
		if w.m.Asked(w.now, who(1), held(1, 0, 0))[0].Status == wire.AnswerAll {
			answered++
			w.m.Answered(w.now, who(1), held(1, 1, 0), true)
		}
	}
	if answered != askBurst {
		t.Error(answered, "answers at once")
	}
}
