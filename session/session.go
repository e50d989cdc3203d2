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

// shared is what a session and its loop have in common. Every part is safe for
// concurrent use, or not changed after the start.
type shared struct {
	m     *Manager
	peer  Peer // as it was added
	log   *peerLog
	box   *mailbox.Mailbox
	plane link.Plane
	seat  *meeting.Seat

	ctx    context.Context // ends with Close; attempts and watchers hang on it
	cancel context.CancelFunc
	wg     sync.WaitGroup // the loop, attempts, watchers of connections
	done   chan struct{}  // closed when the loop has ended

	status  atomic.Pointer[snapshot] // what the loop last published
	tally   tally
	msgs    *msgchan.Channel
	pending pending
}

// A Session is the relation with one peer: the handle that programs hold. Its methods
// are safe for concurrent use; what they change, the loop changes for them.
type Session struct {
	shared
	loop loop
}

// pending is what the loop has been told of and has not looked at yet, so that it is
// told once.
type pending struct {
	moves   mailbox.Newest[link.Path] // where records came from
	packets atomic.Bool               // packets wait
	hint    atomic.Bool               // that the peer cannot be reached
}

func newSession(m *Manager, p Peer, incarnation uint64) *Session {
	s := &Session{shared: shared{m: m, peer: p, box: mailbox.New(maxFrames), log: newPeerLog(m.log, p.DID, p.Name), done: make(chan struct{})}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.plane = m.c.Planes(sink{s}, p.Settings.queue())
	s.seat = m.board.Join(p.DID.Digest(), guest{s})
	s.loop.init(s, incarnation)
	s.wg.Go(s.loop.run)
	return s
}

// DID is the peer's name.
func (s *Session) DID() did.DID { return s.peer.DID }

// Name is what people call the peer; it may be empty.
func (s *Session) Name() string { return *s.log.name.Load() }

// State is the state of the session now.
func (s *Session) State() State { return s.status.Load().State }

// Plane is the packet side of the session, as Config.Planes made it.
func (s *Session) Plane() link.Plane { return s.plane }

// call runs f on the loop and returns its error, or ErrClosed after the end.
// Never call it from the loop.
func (s *Session) call(f func(now time.Time) error) error {
	answer := make(chan error, 1)
	if !s.box.Post(func(now time.Time) {
		err := errFault
		defer func() { s.loop.reply(answer, err) }()
		err = f(now)
	}) {
		return ErrClosed
	}
	return <-answer
}

// Close ends the session: the peer is told, what waits is dropped, keys are
// erased. It returns when every goroutine of the session has ended.
func (s *Session) Close() error {
	s.box.Post(s.loop.leave)
	<-s.done
	s.seat.Leave()
	s.cancel()
	s.wg.Wait()
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
	s.box.Post(func(now time.Time) { s.loop.event(Faulted, now) })
}

// Status returns the session as it is now.
func (s *Session) Status() Status {
	p, t := s.status.Load(), s.plane.Traffic()
	st, sum := p.Status, t.Total()
	st.DID, st.Name, st.EpochAge = s.peer.DID, s.Name(), p.epochAge()
	st.RxBytes, st.TxBytes, st.RxPackets, st.TxPackets = sum.RxBytes, sum.TxBytes, sum.RxPackets, sum.TxPackets
	st.Queued, st.Dropped = t.Queued.Load(), t.Drops()
	st.Messages, st.MessageBytes = s.msgs.Waiting()
	if !p.fullAt.IsZero() {
		st.HandshakeAge = time.Since(p.fullAt)
	}
	return st
}

// Counts returns the counters as they are now.
func (s *Session) Counts() Counts {
	c := Counts{Entered: make(map[string]uint64), Handshakes: make(map[string]uint64)}
	c.Rotations, c.Resends = s.loop.keys.Counts()
	for i := range s.tally.entered {
		c.Entered[State(i).String()] = s.tally.entered[i].Load()
	}
	for i, r := range handshakeResults {
		c.Handshakes[r] = s.tally.shakes[i].Load()
	}
	return c
}

// sink is the session as its plane sees it; each call posts and returns.
type sink struct{ s *Session }

var _ link.Sink = sink{}

// Frame implements link.Sink.
func (k sink) Frame(p link.Path, e *record.Epoch, frame []byte) {
	f := append([]byte(nil), frame...)
	k.s.box.PostBounded(func(now time.Time) { k.s.loop.frame(p, e, f, now) })
}

// Failed implements link.Sink.
func (k sink) Failed() { k.s.faulted() }

// Opened implements link.Sink.
func (k sink) Opened(p link.Path, e *record.Epoch) {
	k.s.box.Post(func(now time.Time) { k.s.loop.keys.Opened(e, now) })
}

// Moved implements link.Sink. The newest few paths count, and are never lost.
func (k sink) Moved(p link.Path) {
	if k.s.pending.moves.Add(p, maxMoves) {
		k.s.box.Post(func(now time.Time) {
			for _, p := range k.s.pending.moves.Take() {
				k.s.loop.paths.Moved(p, now)
			}
		})
	}
}

// Waiting implements link.Sink.
func (k sink) Waiting() {
	if k.s.pending.packets.CompareAndSwap(false, true) {
		k.s.box.Post(func(now time.Time) {
			k.s.pending.packets.Store(false)
			k.s.loop.demand(now)
		})
	}
}

// Sent implements link.Sink.
func (k sink) Sent() {
	k.s.box.Post(func(now time.Time) { k.s.loop.paths.Sent(now) })
}
