package utcp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// A crowd enters strangers and counts who is sent away.
type crowd struct {
	strangers
	now   time.Time
	gone  []netip.Addr
	home  netip.Addr // where a peer was seen
	peers int        // connected from each address
}

func (c *crowd) come(a netip.Addr) *guest {
	c.remembers = func(a netip.Addr) bool { return a == c.home }
	c.more = func(netip.Addr) int { return c.peers }
	return c.enter(a, c.now, func() { c.gone = append(c.gone, a) })
}

func v4(b, c, d int) netip.Addr { return netip.AddrFrom4([4]byte{198, byte(b), byte(c), byte(d)}) }

func TestSourcesAreWhatOnePartyHas(t *testing.T) {
	var c crowd
	in56 := func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, byte(i), byte(i)})
	}
	for i := range maxFromOne { // one /56
		c.begins(c.come(in56(i)))
	}
	if c.come(in56(99)) != nil || len(c.gone) != 0 {
		t.Error("one more of a /56 has a place, although those before are young and have begun")
	}
	for _, other := range []string{"2001:db8:0:100::1", "192.0.2.1", "fe80::1%eth0"} {
		if c.come(netip.MustParseAddr(other)) == nil {
			t.Errorf("%s has no place", other)
		}
	}
	for d := range 100 { // one /24, 4 connections an address
		for range 4 {
			if g := c.come(v4(51, 100, d)); g != nil {
				c.begins(g)
			}
		}
	}
	block := netaddr.BlockOf(v4(51, 100, 0))
	if n := c.count(func(g *guest) bool { return g.block == block }); n != maxFromBlock {
		t.Errorf("a /24 has %d places, not %d", n, maxFromBlock)
	}
}

func TestTheOldestSilentStrangerGoes(t *testing.T) {
	var c crowd
	for i := range maxStrangers {
		if g := c.come(v4(1, i, 1)); i%2 == 0 {
			c.begins(g)
		}
	}
	newcomer := v4(2, 0, 1)
	if c.come(newcomer) == nil || len(c.gone) != 1 || c.gone[0] != v4(1, 1, 1) {
		t.Fatalf("the newcomer is in: %v went", c.gone)
	}
	for _, g := range c.here {
		g.begun = true
	}
	if c.come(v4(2, 0, 2)) != nil {
		t.Error("somebody who has just begun was sent away")
	}
	c.now = c.now.Add(strangerGrace + time.Millisecond)
	if c.come(v4(2, 0, 2)) == nil || len(c.gone) != 2 || c.gone[1] != v4(1, 0, 1) {
		t.Errorf("past its grace the oldest goes, not %v", c.gone)
	}
	if len(c.here) != maxStrangers {
		t.Errorf("%d places are taken", len(c.here))
	}
}

func TestOneSourceTakesItsOwnPlaces(t *testing.T) {
	var c crowd
	peer := c.come(v4(9, 9, 9))
	for range 10 * maxFromOne {
		c.come(v4(1, 1, 1))
	}
	if len(c.here) != maxFromOne+1 || len(c.gone) != 9*maxFromOne {
		t.Errorf("%d places, %d gone", len(c.here), len(c.gone))
	}
	c.leave(peer)
	c.leave(peer) // twice does no harm
	if len(c.here) != maxFromOne {
		t.Errorf("%d places", len(c.here))
	}
}

// A peer that has come and not spoken yet keeps its place, however fast a few
// networks come and go.
func TestACrowdDisplacesItself(t *testing.T) {
	var c crowd
	peer := v4(9, 9, 9)
	c.come(peer)
	for i := range 20 * maxStrangers {
		c.come(v4(1, i%8, i%200))
	}
	if len(c.here) != maxStrangers {
		t.Errorf("%d places", len(c.here))
	}
	for _, a := range c.gone {
		if a == peer {
			t.Fatal("the peer was displaced")
		}
	}
}

// A few networks that begin their first messages and come again and again keep
// nobody out, and send nobody away who has come and not spoken yet.
func TestABusyCrowdDisplacesItself(t *testing.T) {
	var c crowd
	busy := func(i int) {
		if g := c.come(v4(1, i%4, i%16)); g != nil {
			c.begins(g)
		}
	}
	for i := range maxStrangers {
		busy(i)
	}
	for i := range 2000 {
		c.now = c.now.Add(time.Millisecond)
		busy(i)
		if i%100 != 50 {
			continue
		}
		newcomer, before := v4(2, i/100, 1), len(c.gone)
		g := c.come(newcomer)
		if g == nil || len(c.gone) != before+1 || netaddr.BlockOf(c.gone[before]) == netaddr.BlockOf(newcomer) {
			t.Fatalf("%v: no place, or for nobody's", newcomer)
		}
		if i%200 == 50 {
			c.begins(g)
		}
	}
	for _, a := range c.gone {
		if a.As4()[1] == 2 {
			t.Errorf("%v was sent away", a)
		}
	}
	if len(c.here) != maxStrangers {
		t.Errorf("%d places", len(c.here))
	}
}

func TestPlacesAreKeptWhereAPeerWasSeen(t *testing.T) {
	var c crowd
	home := v4(7, 7, 7)
	c.home = home
	for i := range maxStrangers {
		c.begins(c.come(v4(1, i, 1)))
	}
	if c.come(v4(8, 8, 8)) != nil {
		t.Fatal("there is an ordinary place left")
	}
	for range maxFromKnown {
		g := c.come(home)
		if g == nil || !g.reserved {
			t.Fatal("no place where the peer was seen")
		}
		c.begins(g)
	}
	if c.come(home) != nil {
		t.Error("more reserved places than one source has")
	}
}

// Peers that are connected from an address make room there, as far as its network
// has places.
func TestPeersMakeRoomForStrangersBehindTheirAddress(t *testing.T) {
	for peers, want := range map[int]int{0: maxFromOne, 5: maxFromOne + 5, 1000: maxFromBlock} {
		c := crowd{peers: peers, now: time.Now()}
		n := 0
		for range 2 * maxFromBlock {
			if g := c.come(v4(51, 100, 1)); g != nil {
				c.begins(g)
				n++
			}
		}
		if n != want {
			t.Errorf("%d places beside %d peers, want %d", n, peers, want)
		}
	}
}
