package session

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// inCrowd runs f with a hub and homes that have not come yet, and lines of 20 ms.
func inCrowd(t *testing.T, n int, set Settings, f func(t *testing.T, c *crowd)) {
	bubble.Test(t, func(t *testing.T) {
		c := newCrowd(t, n)
		c.set = set
		c.net.SetAll(memnet.Line{Delay: 20 * time.Millisecond})
		c.opens()
		defer time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
		defer c.ends()
		f(t, c)
	})
}

// comes brings one home to the hub, and returns how long its handshake takes.
func (c *crowd) comes(h *host) (s *Session, took time.Duration) {
	c.t.Helper()
	s, err := c.joins(h)
	if err != nil {
		c.t.Fatal(err)
	}
	return s, c.want(s, Established, 5*time.Second)
}

// SPEC 6.13: the hub gives a session up, and with it the home, where the home waits for an
// outage to end. After it the home asks at once.
func TestAHomeThatItsHubHasGivenUpAsksAgain(t *testing.T) {
	inCrowd(t, 1, Settings{DegradedTimeout: 5 * time.Second}, func(t *testing.T, c *crowd) {
		s, _ := c.comes(c.all[0])
		c.wantHomes(1, time.Second)
		time.Sleep(10 * time.Second)
		c.cut(true)
		time.Sleep(40 * time.Second)
		c.wantHomes(0, 0)
		if s.State() != Degraded {
			t.Fatalf("the home is %v", s.State())
		}
		c.cut(false)
		c.want(s, Established, 10*time.Second)
		c.wantHomes(1, time.Second)
	})
}

// The last message of a handshake comes too late for the hub, as from a home on a machine
// that is busy: the hub knows of no session, in which the home asks in vain. It asks again
// as soon as the session is there.
func TestAHomeWhoseProofIsLateIsAtHomeWithItsSession(t *testing.T) {
	inCrowd(t, 2, Settings{}, func(t *testing.T, c *crowd) {
		_, took := c.comes(c.all[0])
		c.wantHomes(1, time.Second)
		late := c.all[1]
		s, err := c.joins(late)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(took - 10*time.Millisecond) // the hub's answer is under way
		c.net.Set(late.addr, c.hub.addr, memnet.Line{Delay: 20 * time.Millisecond, Cut: true})
		c.want(s, Established, 50*time.Millisecond)
		time.Sleep(8 * time.Second)
		if c.present() != 1 {
			t.Fatalf("the hub has sessions with %d", c.present())
		}
		c.net.Set(late.addr, c.hub.addr, memnet.Line{Delay: 20 * time.Millisecond})
		for end := time.Now().Add(10 * time.Second); c.present() < 2; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the hub has sessions with %d, the home is %v", c.present(), s.State())
			}
		}
		c.wantHomes(2, time.Second)
	})
}

// SPEC 6.13: homes that reach their hub by TCP alone meet through it, for its legs carry
// circuits too.
func TestHomesWithoutUDPMeet(t *testing.T) {
	inCrowd(t, 2, Settings{}, func(t *testing.T, c *crowd) {
		c.net.SetAll(memnet.Line{Delay: 20 * time.Millisecond, CutUDP: true})
		a, b := c.all[0], c.all[1]
		for _, h := range c.all {
			if s, _ := c.comes(h); s.Status().Carrier != "utcp" {
				t.Fatalf("%v has a session by %s", h.addr, s.Status().Carrier)
			}
		}
		ba := b.peer(a, false, Settings{})
		ab := a.peer(b, false, Settings{})
		if _, err := a.m.Establish(t.Context(), b.id.DID()); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Session{ab, ba} {
			c.want(s, Established, time.Second)
		}
		time.Sleep(time.Minute)
		for _, s := range []*Session{ab, ba} {
			if st := s.Status(); st.Carrier != "circuit" || st.State != Established && st.State != Rotating {
				t.Errorf("%+v", st)
			}
		}
	})
}

// SPEC 6.10, Meeting: the peer, on a machine that is busy, answers after both MEETs count
// as lost. The first attempt succeeds all the same.
func TestALateAnswerToAMeetCounts(t *testing.T) {
	inCrowd(t, 2, Settings{}, func(t *testing.T, c *crowd) {
		a, b := c.all[0], c.all[1]
		for _, h := range c.all {
			c.comes(h)
		}
		time.Sleep(5 * time.Second) // round trips to the hub are known
		c.net.Set(c.hub.addr, b.addr, memnet.Line{Delay: 1500 * time.Millisecond})
		time.AfterFunc(900*time.Millisecond, func() { c.net.Set(c.hub.addr, b.addr, memnet.Line{Delay: 20 * time.Millisecond}) })
		b.peer(a, false, Settings{})
		a.peer(b, false, Settings{})
		began := time.Now()
		if _, err := a.m.Establish(t.Context(), b.id.DID()); err != nil {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		if took := time.Since(began); took < 1500*time.Millisecond || took > 2500*time.Millisecond {
			t.Errorf("established after %v", took)
		}
	})
}
