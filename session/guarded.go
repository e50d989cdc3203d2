package session

import (
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// errFault: handling what was received met a defect of this program.
var errFault = errors.New("session: internal error, recovered")

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
	s.box.Post(func(now time.Time) { s.event(Faulted, now) })
}

// step is protect for the loop itself.
func (s *Session) step(now time.Time, f func()) bool {
	if s.m.guard.Do("session", f) {
		return true
	}
	s.plane.Traffic().Drop(link.DropFault, 1)
	s.m.guard.Do("session", func() { s.event(Faulted, now) })
	return false
}

// protect is Session.protect for what no session owns yet.
func (m *Manager) protect(where string, f func()) bool {
	if m.guard.Do(where, f) {
		return true
	}
	m.faults.Add(1)
	return false
}

// Faults counts defects of this program that were met in handling what strangers
// sent, and from which it has recovered.
func (m *Manager) Faults() uint64 { return m.faults.Load() }
