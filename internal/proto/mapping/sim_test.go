package mapping

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/router"
)

var (
	local    = netip.MustParseAddrPort("192.168.1.10:41641")
	external = netip.MustParseAddr("203.0.113.7")
	nonce    = Nonce{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
)

const other = 50001

// An event is something that reaches the machine at a time.
type event struct {
	at time.Time
	f  func(now time.Time) []Action
}

// A sim is a machine and a router in virtual time. UPnP is what its functions say.
type sim struct {
	t      *testing.T
	m      *Machine
	r      *router.Router
	now    time.Time
	start  time.Time
	delay  time.Duration // of the router's answers
	events []event

	lasts  time.Duration // a call of UPnP
	found  netip.Addr    // by a search, after half the delay of answers
	call   func(port uint16) Outcome
	mapped []uint16 // what UPnP was asked for
	gone   []uint16 // and to forget

	told []Mapping
	sent int
	cut  bool // nothing arrives
}

func newSim(t *testing.T, o router.Options) *sim {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &sim{t: t, m: New(Config{Local: local, Nonce: nonce, Other: other}), r: router.New(o, now), now: now, start: now}
}

// started is a machine that has begun.
func started(t *testing.T, o router.Options) *sim {
	t.Helper()
	s := newSim(t, o)
	s.do(s.m.Start(s.now))
	s.run(0)
	return s
}

func (s *sim) later(d time.Duration, f func(time.Time) []Action) {
	s.events = append(s.events, event{s.now.Add(d), f})
	slices.SortStableFunc(s.events, func(a, b event) int { return a.at.Compare(b.at) })
}

func (s *sim) do(actions []Action) {
	s.t.Helper()
	for _, a := range actions {
		switch a.Op {
		case Send:
			s.sent++
			if s.cut {
				continue
			}
			for _, answer := range s.r.Datagram(a.Packet, netip.AddrPortFrom(s.m.cfg.Local.Addr(), 9), s.now) {
				s.later(s.delay, func(now time.Time) []Action { return s.m.Datagram(answer, now) })
			}
		case Search:
			s.later(s.delay/2, func(now time.Time) []Action { return s.m.Found(s.found, now) })
		case Map:
			s.mapped = append(s.mapped, a.Port)
			s.later(s.lasts, func(now time.Time) []Action { return s.m.Called(a.Port, s.call(a.Port), now) })
		case Unmap:
			s.gone = append(s.gone, a.Port)
			s.later(s.lasts, func(time.Time) []Action { return s.m.Deleted() })
		case Tell:
			s.told = append(s.told, a.Mapping)
			if a.Mapping != (Mapping{}) && useless(a.Mapping.External, Lease) != 0 {
				s.t.Errorf("told %v", a.Mapping)
			}
		}
	}
}

// run lets time pass.
func (s *sim) run(d time.Duration) {
	s.t.Helper()
	until := s.now.Add(d)
	for range 100_000 {
		next := s.m.Deadline()
		if len(s.events) > 0 {
			next = earliest(next, s.events[0].at)
		}
		if next.IsZero() || next.After(until) {
			s.now = until
			return
		}
		s.now = earliest(next, until)
		if len(s.events) > 0 && !s.events[0].at.After(s.now) {
			e := s.events[0]
			s.events = s.events[1:]
			s.do(e.f(s.now))
			continue
		}
		s.do(s.m.Tick(s.now))
		if d := s.m.Deadline(); !d.IsZero() && !d.After(s.now) {
			s.t.Fatalf("after %v the deadline does not move", s.now.Sub(s.start))
		}
	}
	s.t.Fatal("the machine is never at rest")
}

// want fails unless a mapping is in force, and told.
func (s *sim) want(p Protocol, port uint16) {
	s.t.Helper()
	got := s.m.Status()
	if got.Phase != Held || got.Why != 0 || got.Mapping.Protocol != p || got.Mapping.External != netip.AddrPortFrom(external, port) {
		s.t.Fatalf("%v %v %q, want %v of port %d", got.Phase, got.Mapping, got.Why, p, port)
	}
	if len(s.told) == 0 || s.told[len(s.told)-1].External != got.Mapping.External {
		s.t.Fatalf("told %v", s.told)
	}
}

// wantNone fails unless there is silence for a reason and nothing was told.
func (s *sim) wantNone(why Why) {
	s.t.Helper()
	if got := s.m.Status(); got.Phase != Silent || got.Why != why || got.Mapping != (Mapping{}) {
		s.t.Fatalf("%v %v %q, want %q", got.Phase, got.Mapping, got.Why, why)
	}
	if len(s.told) != 0 {
		s.t.Fatalf("told %v", s.told)
	}
}

// wantNothingAt fails unless the router has no mapping.
func (s *sim) wantNothingAt() {
	s.t.Helper()
	if all := s.r.Mappings(s.now); len(all) != 0 {
		s.t.Errorf("the router has %v", all)
	}
}
