package gossip

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"
)

// A member that says ever higher serials and gives nothing costs a fetch now and then, and
// keeps nobody from an honest source.
func TestAFloodOfLiesCostsLittle(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.m.Up(w.now, who(1), true)
	fetches, said := 0, 0
	count := func(out []Action) {
		for _, a := range out {
			switch a.Op {
			case Fetch:
				fetches++
				out = append(out, w.m.Fetched(w.now, who(1), home, Same)...)
			case Say:
				said++
			}
		}
	}
	for i := range uint64(3600 * 10) { // an hour, ten a second
		w.now = w.now.Add(100 * time.Millisecond)
		count(w.m.Heard(w.now, who(1), held(1, 2+i, 0)))
	}
	if fetches > 25 || said > 10 {
		t.Errorf("%d fetches and %d NEWS", fetches, said)
	}
	w.m.Up(w.now, who(2), true)
	w.want(w.m.Heard(w.now, who(2), held(1, 2, 0)), "fetch 2")
}

// The same with old serials, which a peer repeats: it is told at most once a second.
func TestAFloodOfOldSerialsIsAnsweredSlowly(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(3, 9, 0), nil)
	w.m.Up(w.now, who(1), true)
	said := 0
	for i := range uint64(1000) { // 10 s
		w.now = w.now.Add(10 * time.Millisecond)
		said += len(w.m.Heard(w.now, who(1), held(2, 1+i%5, 0)))
	}
	if said > 10 {
		t.Errorf("%d NEWS in 10 s", said)
	}
}

// Garbage costs its source a minute at least, after a new session too.
func TestGarbageIsRememberedBeyondTheSession(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	w.m.Up(w.now, who(1), true)
	w.want(w.m.Heard(w.now, who(1), held(1, 2, 0)), "fetch 1")
	w.want(w.m.Fetched(w.now, who(1), home, Bad))
	w.m.Down(w.now, who(1))
	w.m.Up(w.now, who(1), true)
	w.m.Heard(w.now, who(1), held(1, 2, 0))
	for w.now.Before(start.Add(10 * time.Minute)) {
		for _, a := range w.pass(time.Minute) {
			if a.Op == Fetch {
				if d := w.now.Sub(start); d < badFirst || d > 2*badFirst {
					t.Error("asked again after", d)
				}
				return
			}
		}
	}
	t.Error("it is never asked again")
}

// Failures of any number of members take bounded room.
func TestFailuresAreBounded(t *testing.T) {
	w := newWorld(t)
	w.m.Open(w.now, held(1, 1, 0), nil)
	for i := range uint32(3 * maxFailure) {
		p := Peer{1}
		binary.BigEndian.PutUint32(p[1:], i)
		w.m.Up(w.now, p, true)
		if out := w.m.Heard(w.now, p, held(1, 2, 0)); len(out) != 1 || out[0].Op != Fetch {
			t.Fatal(i, out)
		}
		w.m.Fetched(w.now, p, home, Bad)
		w.m.Down(w.now, p)
	}
	n := w.m.networks[home]
	if len(n.failures) != maxFailure || len(n.sources) != 0 || len(w.m.peers) != 0 || n.fetch != nil {
		t.Errorf("%d failures, %d sources, %d peers", len(n.failures), len(n.sources), len(w.m.peers))
	}
}

// Whatever comes in whatever order: one fetch a network and a peer, one answer a peer, 16
// networks, and nothing to whom there is no session with.
func TestAnyOrderKeepsTheBounds(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t)
		up, fetching := make(map[Peer]bool), make(map[Peer]ID)
		check := func(out []Action) {
			for _, a := range out {
				switch {
				case a.Op == Close:
					delete(up, a.Peer)
					delete(fetching, a.Peer)
				case a.Op == Fetch:
					for p, id := range fetching {
						if id == a.Network || p == a.Peer {
							t.Fatalf("seed %d: a second fetch", seed)
						}
					}
					fetching[a.Peer] = a.Network
				case a.Op == Cancel:
					delete(fetching, a.Peer)
				}
				if (a.Op == Say || a.Op == Fetch) && !up[a.Peer] {
					t.Fatalf("seed %d: %v to nobody", seed, a.Op)
				}
			}
			if len(w.m.networks) > MaxNetworks || len(w.m.answers) > len(up) {
				t.Fatalf("seed %d: %d networks, %d answers", seed, len(w.m.networks), len(w.m.answers))
			}
		}
		for range 400 {
			w.now = w.now.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
			check(w.any(r, up, fetching))
		}
	}
}

// any is one event by chance.
func (w *world) any(r *rand.Rand, up map[Peer]bool, fetching map[Peer]ID) []Action {
	p, news := who(byte(1+r.IntN(9))), held(1+r.Uint64N(3), r.Uint64N(4), byte(r.IntN(3)))
	news.Network[0] = byte(1 + r.IntN(20))
	id := ID(news.Network)
	switch r.IntN(10) {
	case 0:
		return w.m.Open(w.now, news, []Peer{who(1)})
	case 1:
		for q, x := range fetching {
			if x == id {
				delete(fetching, q)
			}
		}
		return w.m.Leave(w.now, id)
	case 2:
		if r.IntN(20) == 0 {
			w.removed[p] = true
		}
		return w.m.Changed(w.now, news, r.IntN(2) == 0)
	case 3, 4:
		up[p] = !w.removed[p]
		return w.m.Up(w.now, p, true)
	case 5:
		delete(up, p)
		delete(fetching, p)
		return w.m.Down(w.now, p)
	case 6:
		if f, ok := fetching[p]; ok {
			delete(fetching, p)
			return w.m.Fetched(w.now, p, f, Result(1+r.IntN(6)))
		}
	case 7:
		if !up[p] {
			return w.m.Asked(w.now, p, news)[1:] // status 3
		}
		return w.m.Asked(w.now, p, news)
	case 8:
		return w.m.Answered(w.now, p, news, r.IntN(2) == 0)
	}
	return w.m.Heard(w.now, p, news)
}

func BenchmarkHeardByAHubOf10000(b *testing.B) {
	m := New(all{}, rand.New(rand.NewPCG(1, 2)))
	m.Open(start, held(1, 1, 0), nil)
	peers := make([]Peer, 10_000)
	for i := range peers {
		binary.BigEndian.PutUint32(peers[i][:], uint32(i))
		m.Up(start, peers[i], true)
		m.Heard(start, peers[i], held(1, 1, 0))
	}
	b.ResetTimer()
	for i := range b.N {
		m.Heard(start, peers[i%len(peers)], held(1, 1, 0))
		m.Deadline(start)
	}
}

// all lets everybody in.
type all struct{}

func (all) Member(ID, Peer) bool { return true }
func (all) Removed(Peer) bool    { return false }
