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
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
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
	s := &Session{shared: shared{m: m, peer: p, box: mailbox.New(maxFrames), log: newPeerLog(m.log, p), done: make(chan struct{})}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.plane = m.c.Planes(sink{s}, p.Settings.queue())
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
