package udp

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// SendOpeners implements link.Opener. Where the system cannot set a hop limit by
// packet, none are sent.
func (s *Socket) SendOpeners(remotes []netip.AddrPort) { s.openers.open(remotes, time.Now()) }

// SendKnocks implements link.Opener.
func (s *Socket) SendKnocks(remotes []netip.AddrPort) { s.openers.knock(remotes, time.Now()) }

// MeasureDepth implements link.Opener.
func (s *Socket) MeasureDepth(remote netip.AddrPort) {
	remote = withNumber(remote)
	if !limitsHops || !remote.IsValid() || remote.Addr().IsLoopback() {
		return
	}
	stop := s.openers.begin(remote)
	s.run(func() { s.openers.search(remote, stop, s.ending) }) // ends within 5 s
}

// Await implements link.Opener. Close waits for f.
func (s *Socket) Await(remotes []netip.AddrPort, f func(remote netip.AddrPort)) (stop func()) {
	w := newWait(remotes)
	if !s.watches.await(w) || !s.run(func() { s.attend(w, f) }) { // ends with the wait, or within a minute
		w.end(&s.watches)
	}
	return func() { w.end(&s.watches) }
}

// attend waits for a datagram.
func (s *Socket) attend(w *wait, f func(netip.AddrPort)) {
	defer w.end(&s.watches)
	timer := time.NewTimer(awaitTime)
	defer timer.Stop()
	select {
	case <-s.ending:
	case <-w.over:
	case <-timer.C:
	case from := <-w.came:
		if w.ended() {
			return
		}
		if !s.o.Guard.Do("await", func() { f(from) }) {
			s.o.Count.Faults.Add(1)
		}
	}
}

// HeardFrom implements link.Opener.
func (s *Socket) HeardFrom(remote netip.AddrPort) time.Time {
	return s.watches.heardFrom(withNumber(remote), time.Now())
}

// known reports whether a record id is in use here.
func (s *Socket) known(id wire.RecordID) bool {
	h := s.Handler()
	return h != nil && h.Known(id)
}
