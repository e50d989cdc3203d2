package session

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// A mailbox is how everything outside reaches a session's loop. Posting never
// blocks. Calls are never lost; frames are bounded, because the peer sends them.
type mailbox struct {
	mu     sync.Mutex
	calls  []func(now time.Time)
	frames int
	wake   chan struct{} // capacity 1
	closed bool
}

// maxFrames bounds frames that wait for the loop.
const maxFrames = 256

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post hands a call to the loop; it reports false when the loop has ended.
func (m *mailbox) post(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.put(f)
}

// postFrame is post for what a frame causes; it reports false when too many wait.
func (m *mailbox) postFrame(f func(now time.Time)) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frames == maxFrames {
		return false
	}
	m.frames++
	return m.put(func(now time.Time) {
		m.mu.Lock()
		m.frames--
		m.mu.Unlock()
		f(now)
	})
}

func (m *mailbox) put(f func(now time.Time)) bool {
	if m.closed {
		return false
	}
	m.calls = append(m.calls, f)
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns what waits, in order.
func (m *mailbox) take() []func(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}

// close refuses further posts and returns what still waited.
func (m *mailbox) close() []func(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	calls := m.calls
	m.calls = nil
	return calls
}

// moves are the paths by which records came, in order, since the loop last
// looked: at most as many as a session has candidates, the newest.
type moves struct {
	mu    sync.Mutex
	paths []link.Path
}

// maxMoves bounds them: a session has no more candidates.
const maxMoves = 3

// add reports whether nothing waited before.
func (m *moves) add(p link.Path) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := len(m.paths) == 0
	if len(m.paths) > maxMoves {
		m.paths = append(m.paths[:0], m.paths[1:]...)
	}
	m.paths = append(m.paths, p)
	return first
}

func (m *moves) take() []link.Path {
	m.mu.Lock()
	defer m.mu.Unlock()
	paths := m.paths
	m.paths = nil
	return paths
}
