package session

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/mailbox"
	"github.com/libertaria-project/l2tun/internal/base/peerlog"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/record"
)

const (
	// maxFrames bounds the frames of the peer that wait for the loop.
	maxFrames = 256
	// maxMoves bounds the paths that it has to look at: the newest count, and a
	// session has three candidates.
	maxMoves = 4
)

// shared is what a session and its loops have in common. Every part is safe for
// concurrent use, or not changed after the start.
type shared struct {
	m     *Manager
	peer  configured // as it was added
	first uint64     // our incarnation at the beginning
	name  atomic.Pointer[string]
	box   mailbox.Mailbox
	plane link.Plane

	present atomic.Pointer[present] // nil: there was no loop yet
	counted atomic.Pointer[tally]   // the same
	chat    msgchan.Shared
	pending pending
	awake   atomic.Bool    // configured: the session never sleeps
	loops   sync.WaitGroup // the loop and all that it has started
}

// configured is a Peer. Most have the same settings, which are not changed.
type configured struct {
	DID       did.DID
	Settings  *Settings
	Keep, Hub bool
	Member    bool
}

// A Session is the relation with one peer: the handle that programs hold. Its methods
// are safe for concurrent use; what they change, the loop changes for them. While
// nothing is to be done there is no loop: what stays is in present (dormant.go).
type Session struct {
	shared
	loop *loop // the one that runs, or the last; its own, or the next one's
}

// life is what a loop has for as long as it runs.
type life struct {
	log   *peerlog.Log
	seat  *meeting.Seat
	msgs  *msgchan.Channel
	tally *tally

	ctx    context.Context // ends with the loop; attempts and watchers hang on it
	cancel context.CancelFunc
	ended  chan struct{} // closed when the loop has ended
}

// pending is what the loop has been told of and has not looked at yet, so that it is
// told once.
type pending struct {
	moves   mailbox.Newest[link.Path] // where records came from
	packets atomic.Bool               // packets wait
	hint    atomic.Bool               // that the peer cannot be reached
}

// newSession makes a session without a loop; the manager's mu is held.
func newSession(m *Manager, p Peer, incarnation uint64) *Session {
	if m.usual == nil || *m.usual != p.Settings {
		settings := p.Settings
		m.usual = &settings
	}
	s := &Session{shared: shared{m: m, peer: configured{p.DID, m.usual, p.Keep, p.Hub, p.Member}, first: incarnation}}
	name := p.Name // alone: a pointer into p would keep all of it
	s.name.Store(&name)
	s.awake.Store(p.Awake)
	s.box.Init(maxFrames, func() { s.loops.Go(s.live) })
	s.plane = m.c.Planes(sink{s}, queueLimits(p.Settings))
	return s
}

// DID is the peer's name.
func (s *Session) DID() did.DID { return s.peer.DID }

// Name is what people call the peer; it may be empty.
func (s *Session) Name() string { return *s.name.Load() }

// State is the state of the session now.
func (s *Session) State() State { return s.present.Load().state() }

// Plane is the packet side of the session, as Config.Planes made it.
func (s *Session) Plane() link.Plane { return s.plane }

// call runs f on the loop and returns its error, or ErrClosed after the end.
// Never call it from the loop.
func (s *Session) call(f func(now time.Time) error) error {
	answer := make(chan error, 1)
	if !s.box.Post(func(now time.Time) { answerWith(s.loop, answer, f, now) }) {
		return ErrClosed
	}
	return <-answer
}

// Close ends the session: the peer is told, what waits is dropped, keys are
// erased. It returns when every goroutine of the session has ended.
func (s *Session) Close() error {
	if !s.closeDormant() {
		s.box.Post(func(now time.Time) { s.loop.leave(now) })
	}
	s.loops.Wait()
	return nil
}

func sortedByDID(m map[did.DID]*Session) []*Session {
	return slices.SortedFunc(maps.Values(m), func(a, b *Session) int { return a.peer.DID.Compare(b.peer.DID) })
}

// protect runs what handles something of the peer. If that meets a defect, the
// session fails, with its keys and connections, and is tried again like any that
// failed (SPEC section 6.5). It reports whether f came to its end.
func (s *Session) protect(where string, f func()) bool {
	if s.m.guard.Do(where, f) {
		return true
	}
	s.faulted()
	return false
}

// faulted counts a recovered defect and fails the session. Any goroutine but the
// loop may call it.
func (s *Session) faulted() {
	s.plane.Traffic().Drop(link.DropFault, 1)
	s.box.Tell(func(now time.Time) { s.loop.event(Faulted, now) })
}

// Status returns the session as it is now.
func (s *Session) Status() Status {
	p, t := s.present.Load().snapshot(), s.plane.Traffic()
	st, sum := p.Status, t.Total()
	st.DID, st.Name, st.EpochAge = s.peer.DID, s.Name(), p.epochAge()
	st.RxBytes, st.TxBytes, st.RxPackets, st.TxPackets = sum.RxBytes, sum.TxBytes, sum.RxPackets, sum.TxPackets
	st.Queued, st.Dropped = t.Queued.Load(), t.Drops()
	st.Messages, st.MessageBytes = s.chat.Waiting()
	if !p.fullAt.IsZero() {
		st.HandshakeAge = time.Since(p.fullAt)
	}
	return st
}

// Counts returns the counters as they are now.
func (s *Session) Counts() Counts {
	c := Counts{Entered: make(map[string]uint64), Handshakes: make(map[string]uint64)}
	t := s.counted.Load()
	if t == nil {
		t = new(tally)
	}
	c.Rotations, c.Resends = t.keys.Rotations.Load(), t.keys.Resends.Load()
	for i := range t.entered {
		c.Entered[State(i).String()] = t.entered[i].Load()
	}
	for i, r := range handshakeResults {
		c.Handshakes[r] = t.shakes[i].Load()
	}
	return c
}

// sink is the session as its plane sees it; each call posts and returns. Only a packet
// that waits wakes a session that has no loop: what came under keys came too late.
type sink struct{ s *Session }

var _ link.Sink = sink{}

// Frame implements link.Sink.
func (k sink) Frame(p link.Path, e *record.Epoch, frame []byte) {
	f := append([]byte(nil), frame...)
	k.s.box.TellBounded(func(now time.Time) { k.s.loop.frame(p, e, f, now) })
}

// Failed implements link.Sink.
func (k sink) Failed() { k.s.faulted() }

// Opened implements link.Sink.
func (k sink) Opened(p link.Path, e *record.Epoch) {
	k.s.box.Tell(func(now time.Time) { k.s.loop.keys.Opened(e, now) })
}

// Moved implements link.Sink. The newest few paths count, and are never lost.
func (k sink) Moved(p link.Path) {
	if k.s.pending.moves.Add(p, maxMoves) {
		told := k.s.box.Tell(func(now time.Time) {
			for _, p := range k.s.pending.moves.Take() {
				k.s.loop.paths.Moved(p, now)
			}
		})
		if !told {
			k.s.pending.moves.Take()
		}
	}
}

// Waiting implements link.Sink.
func (k sink) Waiting() {
	if k.s.pending.packets.CompareAndSwap(false, true) {
		k.s.wake(wakePacket)
	}
}

// Came implements link.Sink.
func (k sink) Came() {
	k.s.box.Tell(func(now time.Time) { k.s.loop.paths.Began(false, now) })
}

// Sent implements link.Sink.
func (k sink) Sent() {
	k.s.box.Tell(func(now time.Time) { k.s.loop.paths.Began(true, now) })
}
