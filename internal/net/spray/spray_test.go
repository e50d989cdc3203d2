package spray

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
)

func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A table is a node's sockets.
type table struct {
	mu     sync.Mutex
	opened []*net.UDPConn
	fail   int // ports that cannot be opened, the last ones
	mute   bool
}

func (x *table) config(t *testing.T) Config {
	return Config{
		Open: func() (*net.UDPConn, error) {
			x.mu.Lock()
			defer x.mu.Unlock()
			if len(x.opened) >= numPorts-x.fail {
				return nil, errors.New("no more files")
			}
			c := listen(t)
			x.opened = append(x.opened, c)
			return c, nil
		},
		Opener: func(*net.UDPConn, netip.AddrPort) bool { return !x.mute },
	}
}

// open is how many of the sockets are open.
func (x *table) open() (n int) {
	for _, c := range x.opened {
		if c.SetDeadline(time.Now()) == nil {
			n++
		}
	}
	return n
}

func at(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// TestThePortThatIsHitStays: the remote's datagram decides, a stranger's does not, and
// all other ports are closed.
func TestThePortThatIsHitStays(t *testing.T) {
	remote, stranger := listen(t), listen(t)
	x := &table{}
	s := New(x.config(t))
	got := s.OpenPorts(t.Context(), at(remote), func(yes bool) {
		if !yes || len(x.opened) != numPorts {
			t.Errorf("%v: %d ports", yes, len(x.opened))
		}
		stranger.WriteToUDPAddrPort([]byte("x"), at(x.opened[3]))
		remote.WriteToUDPAddrPort([]byte("y"), at(x.opened[77]))
	})
	if got != x.opened[77] || x.open() != 1 {
		t.Errorf("%v, %d ports are open", got, x.open())
	}
}

// TestPortsAreClosedAtTheEnd: nobody has hit one before the spray is over; of several
// sprays at a time only two open ports.
func TestPortsAreClosedAtTheEnd(t *testing.T) {
	remote := listen(t)
	x, y := &table{}, &table{}
	s := New(x.config(t))
	ctx, cancel := context.WithCancel(t.Context())
	var refused bool
	s.opening <- struct{}{} // another one runs
	got := s.OpenPorts(ctx, at(remote), func(yes bool) {
		s.c = y.config(t)
		s.OpenPorts(ctx, at(remote), func(yes bool) { refused = !yes })
		cancel()
	})
	if got != nil || x.open() != 0 || !refused || len(y.opened) != 0 {
		t.Errorf("%v, %d ports are open; refused %v", got, x.open(), refused)
	}
}

// TestFewPortsAreRefused: where the system gives too few, or no opener leaves, none stay
// open.
func TestFewPortsAreRefused(t *testing.T) {
	remote := listen(t)
	for _, x := range []*table{{fail: numPorts - leastPorts + 1}, {mute: true}} {
		said := 0
		got := New(x.config(t)).OpenPorts(t.Context(), at(remote), func(yes bool) {
			if said++; yes {
				t.Error("they are open")
			}
		})
		if got != nil || said != 1 || x.open() != 0 {
			t.Errorf("%v, said %d times, %d ports are open", got, said, x.open())
		}
	}
}

// TestKnocksStayWithinTheirRate: of one spray and of two at a time, a thousand a second
// leave, to ports of one address, each once, none of a well-known service.
func TestKnocksStayWithinTheirRate(t *testing.T) {
	for _, sprays := range []int{1, 2} {
		bubble.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			var all []netip.AddrPort
			began := time.Now()
			s := New(Config{Knock: func(r []netip.AddrPort) {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, r...)
				if most := knockBurst + int(time.Since(began).Seconds()*knockRate) + 1; len(all) > most {
					t.Errorf("%d knocks after %v", len(all), time.Since(began))
				}
			}})
			var wg sync.WaitGroup
			for i := range sprays {
				wg.Go(func() { s.KnockPorts(t.Context(), netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})) })
			}
			wg.Wait()
			if took := time.Since(began); len(all) != sprays*numKnocks || took > time.Duration(sprays)*2100*time.Millisecond {
				t.Errorf("%d knocks in %v", len(all), took)
			}
			slices.SortFunc(all, netip.AddrPort.Compare)
			for i, r := range all {
				if r.Port() < firstPort || i > 0 && r == all[i-1] {
					t.Fatalf("a knock at %v", r)
				}
			}
		})
	}
}

// TestKnocksEndWhenTheyAreStopped: nothing leaves after it.
func TestKnocksEndWhenTheyAreStopped(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := 0
		s := New(Config{Knock: func(r []netip.AddrPort) { n += len(r) }})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		s.KnockPorts(ctx, netip.MustParseAddr("192.0.2.1"))
		if n < 250 || n > 380 {
			t.Errorf("%d knocks", n)
		}
	})
}

// TestChances: what numbers of ports and knocks amount to.
func TestChances(t *testing.T) {
	missed := 1.0
	for i := range numKnocks {
		missed *= 1 - float64(numPorts)/float64(allPorts-i)
	}
	if missed > 0.02 {
		t.Errorf("%.3f of sprays fail", missed)
	}
}
