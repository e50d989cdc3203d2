package gossip

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A simulation in virtual time: two hubs with 1 Gbit/s, members with 50 Mbit/s, each in session
// with both hubs and some members, one way 5 to 60 ms, one NEWS of a hundred lost.
const (
	simNodes   = 1000
	simHubs    = 2
	simFriends = 6
	rosterSize = 130 * simNodes
	removeSize = 9 << 10
)

type simEvent struct {
	at  time.Time
	seq int
	do  func()
}

type simQueue []simEvent

func (q simQueue) Len() int { return len(q) }
func (q simQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q simQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *simQueue) Push(x any)   { *q = append(*q, x.(simEvent)) }
func (q *simQueue) Pop() any     { x := (*q)[len(*q)-1]; *q = (*q)[:len(*q)-1]; return x }

type sim struct {
	t       *testing.T
	r       *rand.Rand
	now     time.Time
	seq     int
	queue   simQueue
	nodes   []*simNode
	gone    int // node that the removals name
	news    int // frames
	fetches int
	busy    int
	bytes   int
}

type simNode struct {
	s       *sim
	i       int
	m       *Machine
	held    wire.News
	at      time.Time // when what is waited for was held
	free    time.Time // of the uplink
	tickAt  time.Time
	up      map[int]bool
	closed  bool // the session with the removed one was closed
	admitAt time.Time
}

func simPeer(i int) (p Peer) {
	binary.BigEndian.PutUint32(p[:], uint32(i))
	return p
}

func simIndex(p Peer) int { return int(binary.BigEndian.Uint32(p[:])) }

func (n *simNode) Member(_ ID, p Peer) bool { return !n.Removed(p) }
func (n *simNode) Removed(p Peer) bool {
	return n.held.Removals != [32]byte{} && simIndex(p) == n.s.gone
}

func (s *sim) after(d time.Duration, do func()) {
	s.seq++
	heap.Push(&s.queue, simEvent{s.now.Add(d), s.seq, do})
}

// run lets time pass until nothing is left to do in it.
func (s *sim) run(d time.Duration) {
	end := s.now.Add(d)
	for len(s.queue) > 0 && !s.queue[0].at.After(end) {
		e := heap.Pop(&s.queue).(simEvent)
		s.now = e.at
		e.do()
	}
	s.now = end
}

func newSim(t *testing.T) *sim {
	s := &sim{t: t, r: rand.New(rand.NewPCG(3, 4)), now: start, gone: simNodes - 1}
	for i := range simNodes {
		n := &simNode{s: s, i: i, held: held(1, 1, 0), up: make(map[int]bool)}
		n.m = New(n, rand.New(rand.NewPCG(uint64(i), 5)))
		s.nodes = append(s.nodes, n)
	}
	for _, n := range s.nodes {
		n.do(n.m.Open(s.now, n.held, []Peer{simPeer(0), simPeer(1)}))
	}
	for i := range simNodes {
		for h := range simHubs {
			s.connect(i, h)
		}
		for range simFriends / 2 {
			s.connect(i, s.r.IntN(simNodes))
		}
	}
	return s
}

func (s *sim) connect(i, j int) {
	if i == j || s.nodes[i].up[j] {
		return
	}
	a, b := s.nodes[i], s.nodes[j]
	a.up[j], b.up[i] = true, true
	a.do(a.m.Up(s.now, simPeer(j), true))
	b.do(b.m.Up(s.now, simPeer(i), true))
}

// way is the time from one node to another, the same each time.
func way(i, j int) time.Duration {
	r := rand.New(rand.NewPCG(uint64(min(i, j)), uint64(max(i, j))))
	return time.Duration(5+r.IntN(56)) * time.Millisecond
}

// send puts bytes on the uplink; do is called when they have arrived, sent when they left.
func (n *simNode) send(to, bytes int, sent, do func()) {
	rate := 50e6
	if n.i < simHubs {
		rate = 1e9
	}
	n.s.bytes += bytes
	if n.free.Before(n.s.now) {
		n.free = n.s.now
	}
	n.free = n.free.Add(time.Duration(float64(bytes*8) / rate * 1e9))
	wait := n.free.Sub(n.s.now)
	if sent != nil {
		n.s.after(wait, sent)
	}
	n.s.after(wait+way(n.i, to), do)
}

func (n *simNode) do(actions []Action) {
	for _, a := range actions {
		n.act(a, simIndex(a.Peer))
	}
	at := n.m.Deadline(n.s.now)
	if at.IsZero() || at.Equal(n.tickAt) {
		return
	}
	n.tickAt = at
	n.s.after(max(at.Sub(n.s.now), 0), func() {
		if n.tickAt.Equal(at) {
			n.tickAt = time.Time{}
			n.do(n.m.Tick(n.s.now))
		}
	})
}

func (n *simNode) act(a Action, j int) {
	s, peer, me := n.s, n.s.nodes[j], simPeer(n.i)
	switch a.Op {
	case Say:
		s.news++
		do := func() { peer.do(peer.m.Heard(s.now, me, a.News)) }
		if s.r.IntN(100) == 0 {
			do = func() {}
		}
		n.send(j, len(a.News.Append(nil, wire.FrameNews))+wire.Overhead+48, nil, do)
	case Fetch:
		s.fetches++
		n.send(j, 200, nil, func() { peer.do(peer.m.Asked(s.now, me, a.News)) })
	case Answer:
		n.answer(a, peer)
	case Close:
		n.closed = true
	case Cancel, Stop:
		s.t.Errorf("node %d: %v", n.i, a.Op)
	case Admit:
		n.admitAt = s.now
	}
}

// answer sends what the other lacks.
func (n *simNode) answer(a Action, to *simNode) {
	s, me := n.s, simPeer(n.i)
	if a.Status != wire.AnswerAll {
		s.busy++
		n.send(to.i, 100, nil, func() { to.do(to.m.Fetched(s.now, me, home, Busy)) })
		return
	}
	size := 300
	if serial(&a.News, [8]byte{1}) > serial(&to.held, [8]byte{1}) {
		size += rosterSize
	}
	if a.News.Removals != to.held.Removals {
		size += removeSize
	}
	sent := func() { n.do(n.m.Answered(s.now, simPeer(to.i), a.News, true)) }
	n.send(to.i, size, sent, func() { to.take(me, a.News) })
}

// take is what an answer brings.
func (n *simNode) take(from Peer, news wire.News) {
	next, result := n.held, Same
	if behind(&n.held, &news) {
		next.Rosters = news.Rosters
		result = Took
	}
	urgent := news.Removals != [32]byte{} && n.held.Removals == [32]byte{}
	if urgent {
		next.Removals, result = news.Removals, Took
	}
	n.change(next, urgent)
	n.do(n.m.Fetched(n.s.now, from, home, result))
}

func (n *simNode) change(next wire.News, urgent bool) {
	if !equal(&next, &n.held) {
		n.held, n.at = next, n.s.now
		n.do(n.m.Changed(n.s.now, next, urgent))
	}
}

// spread lets one node have something new, and returns when half and all had it.
func (s *sim) spread(t *testing.T, what string, from int, next wire.News, urgent bool, except int) (half, all time.Duration) {
	s.news, s.fetches, s.busy, s.bytes = 0, 0, 0, 0
	began := s.now
	s.nodes[from].change(next, urgent)
	s.run(2 * time.Minute)
	count := make([]time.Duration, 0, simNodes)
	for i, n := range s.nodes {
		if i == except {
			continue
		}
		if !equal(&n.held, &next) {
			t.Fatalf("%s: node %d has not got it", what, i)
		}
		count = append(count, n.at.Sub(began))
	}
	half, all = median(count)
	t.Logf("%s: half after %v, all after %v; %d NEWS, %d fetches, %d of them busy, %.1f MB", what, half.Round(time.Millisecond), all.Round(time.Millisecond), s.news, s.fetches, s.busy, float64(s.bytes)/1e6)
	return half, all
}

func TestThousandNodes(t *testing.T) {
	s := newSim(t)
	s.run(time.Minute)
	sessions := 0
	for _, n := range s.nodes {
		sessions += len(n.up)
		if wait := n.admitAt.Sub(start); wait > time.Second {
			t.Errorf("node %d was admitted after %v", n.i, wait)
		}
	}
	t.Logf("%d sessions; the start took %d NEWS and %d fetches", sessions/2, s.news, s.fetches)
	if s.news > 2*sessions || s.fetches != 0 {
		t.Error("too much for a start")
	}
	if _, all := s.spread(t, "addition", 500, held(1, 2, 0), false, -1); all > 5*time.Second || s.bytes > 2*rosterSize*simNodes || s.news > 2*sessions {
		t.Error("an addition costs too much")
	}
	if _, all := s.spread(t, "removal", 500, held(1, 2, 1), true, s.gone); all > time.Second || s.news > 2*sessions || s.fetches > 2*simNodes {
		t.Error("a removal costs too much")
	}
	for i := range s.nodes[s.gone].up {
		if !s.nodes[i].closed {
			t.Errorf("node %d is still in session with the removed one", i)
		}
	}
}

func median(all []time.Duration) (half, last time.Duration) {
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}
