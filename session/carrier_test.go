package session

import (
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// Homes behind one address of a carrier's NAT come to a hub all at once, and again once it
// has restarted. All are there within a minute, for each that proves itself gives back
// what it has taken of the rate of its address (20 a second, 40 at once). The long form
// has 1,000: there after 11 s, and back 19 s after the restart.
func TestHomesBehindOneAddressComeAtOnce(t *testing.T) {
	n := 100
	switch {
	case os.Getenv("L2TUN_FULL") == "1" && !bubble.Raced():
		n = 1000
	case bubble.Raced() || testing.Short():
		n = 50
	}
	for name, at := range map[string]func(i int) netip.AddrPort{
		"an address each": func(i int) netip.AddrPort { return netip.AddrPortFrom(w4(10, byte(1+i>>8), byte(i), 1), 4242) },
		"one address":     func(i int) netip.AddrPort { return netip.AddrPortFrom(w4(100, 64, 0, 1), uint16(2000+i)) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				c := newCrowd(t, n)
				c.net.SetAll(memnet.Line{Delay: 20 * time.Millisecond})
				for i, h := range c.all {
					h.addr = at(i)
				}
				c.opens()
				began := time.Now()
				for _, h := range c.all {
					c.starts(h, nil)
					h.dir.Set(c.hub.id.DID(), c.hub.addr.String())
					if _, err := h.m.Add(Peer{DID: c.hub.id.DID(), Keep: true, Hub: true}); err != nil {
						t.Fatal(err)
					}
				}
				for c.present() < n && time.Since(began) < 5*time.Minute {
					time.Sleep(50 * time.Millisecond)
				}
				first := time.Since(began)
				back := c.restart(n, 5*time.Minute)
				t.Logf("%d homes: all are there after %v, and back %v after a restart", n, first, back)
				if most := time.Minute; first > most || back > most {
					t.Errorf("%v and %v", first, back)
				}
				c.ends()
				time.Sleep(time.Second)
				synctest.Wait()
			})
		})
	}
}
