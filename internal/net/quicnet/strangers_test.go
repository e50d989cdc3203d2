package quicnet

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

func placesOf(u *unproven) int {
	held, _, _ := u.counts()
	return held
}

func TestOneSourceHasEightPlaces(t *testing.T) {
	u, now := newUnproven(new(atomic.Uint64)), time.Now()
	var held []*place
	for range maxUnprovenOne {
		p, err := u.take(netip.MustParseAddr("2001:db8::1"), true, now)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, p)
	}
	if _, err := u.take(netip.MustParseAddr("2001:db8:0:1::9"), true, now); err == nil {
		t.Error("another address of the /56 got a ninth place")
	}
	if _, err := u.take(netip.MustParseAddr("2001:db8:0:100::9"), true, now); err != nil {
		t.Error("another /56:", err)
	}
	held[0].leave()
	held[0].leave()
	if n := placesOf(u); n != maxUnprovenOne {
		t.Fatalf("%d places are held", n)
	}
	if _, err := u.take(netip.MustParseAddr("2001:db8::1"), true, now); err != nil {
		t.Error("after one has left:", err)
	}
}

// Each circuit is a source of its own, although all have addresses of one /64.
func TestEachCircuitHasItsPlaces(t *testing.T) {
	u, now := newUnproven(new(atomic.Uint64)), time.Now()
	u.bounds = strangersByCircuit
	at := func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0: 1, 14: byte(i >> 8), 15: byte(i)})
	}
	for range 5 * strangersByCircuit.one {
		u.take(at(1), true, now)
	}
	if n := placesOf(u); n != strangersByCircuit.one {
		t.Errorf("one circuit has %d places", n)
	}
	for i := range strangersByCircuit.all - 1 {
		if _, err := u.take(at(2+i), true, now.Add(time.Second)); err != nil {
			t.Fatal(i, err)
		}
	}
	if n := placesOf(u); n != strangersByCircuit.all || u.of[netip.PrefixFrom(at(1), 128)] != 1 {
		t.Errorf("%d places, of the greedy circuit %d", n, u.of[netip.PrefixFrom(at(1), 128)])
	}
}

// TestFullPlacesGoToNewNetworks: an attacker with one network displaces itself, and
// one without a proven address displaces nobody.
func TestFullPlacesGoToNewNetworks(t *testing.T) {
	u, now := newUnproven(new(atomic.Uint64)), time.Now()
	honest, err := u.take(netip.MustParseAddr("198.51.100.1"), true, now.Add(-time.Second)) // the oldest of all
	if err != nil {
		t.Fatal(err)
	}
	var attackers []*place
	for i := range maxUnproven - 1 {
		p, err := u.take(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), true, now.Add(time.Duration(i)))
		if err != nil {
			t.Fatal(err)
		}
		closed := false
		p.opened(func() { closed = true })
		attackers = append(attackers, p)
		_ = closed
	}
	if _, err := u.take(netip.MustParseAddr("192.0.2.1"), false, now); err == nil {
		t.Error("who has not proven its address got another's place")
	}
	if _, err := u.take(netip.MustParseAddr("203.0.113.255"), true, now); err == nil {
		t.Error("the heaviest network got another place")
	}
	if _, err := u.take(netip.MustParseAddr("192.0.2.1"), true, now); err != nil {
		t.Error("a newcomer was refused:", err)
	}
	if attackers[0].state != placeEvicted || honest.state != placeHeld {
		t.Errorf("the oldest of the attacker is %v, the honest one %v", attackers[0].state, honest.state)
	}
	if attackers[0].opened(nil) {
		t.Error("an evicted connection goes on")
	}
	if held, _, evicted := u.counts(); held != maxUnproven || evicted != 1 {
		t.Errorf("%d held, %d evicted", held, evicted)
	}
	attackers[0].leave()
	if _, _, evicted := u.counts(); evicted != 0 {
		t.Errorf("%d evicted", evicted)
	}
}

// TestPeersHavePlacesOfTheirOwn: 256 attackers of as many networks, each with the
// least that there is, do not keep a peer out whose address is known.
func TestPeersHavePlacesOfTheirOwn(t *testing.T) {
	u, now := newUnproven(new(atomic.Uint64)), time.Now()
	peer := netip.MustParseAddr("192.0.2.7")
	u.learn(peer, now)
	for i := range 2 * maxUnproven {
		u.take(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), true, now)
	}
	p, err := u.take(peer, true, now)
	if err != nil || p.state != placeReserved {
		t.Fatalf("%v, %v", p.state, err)
	}
	for i := range 2 * maxUnproven { // they displace each other, and not the peer
		u.take(netip.AddrFrom4([4]byte{11, byte(i >> 8), byte(i), 1}), true, now)
	}
	if p.state != placeReserved {
		t.Error("the peer was displaced")
	}
	p.leave()
	if _, reserved, _ := u.counts(); reserved != 0 || len(u.reserved) != 0 {
		t.Errorf("%d reserved", reserved)
	}
	for i := range 2 * maxKnownSources {
		u.learn(netip.AddrFrom4([4]byte{12, byte(i >> 8), byte(i), 1}), now.Add(time.Duration(i)))
	}
	if len(u.known) != maxKnownSources {
		t.Errorf("%d addresses are remembered", len(u.known))
	}
	if u.isKnown(netaddr.SourceOf(peer), now.Add(knownSourceLife)) {
		t.Error("an address is known for ever")
	}
}

// TestPeersMakeRoomForOthersBehindTheirAddress: each peer that is connected from a
// source gives it one more place, of both links, while it is connected.
func TestPeersMakeRoomForOthersBehindTheirAddress(t *testing.T) {
	u, now, nat := newUnproven(new(atomic.Uint64)), time.Now(), netip.MustParseAddr("198.51.100.1")
	peer, err := u.take(nat, true, now)
	if err != nil {
		t.Fatal(err)
	}
	peer.prove()
	peer.prove()
	gone := u.connect(nat)
	places := func() (all []*place) {
		for {
			p, err := u.take(nat, true, now)
			if err != nil {
				return all
			}
			all = append(all, p)
		}
	}
	all := places()
	if len(all) != maxUnprovenOne+2 || u.moreFrom(nat) != 2 {
		t.Fatalf("%d places beside two peers", len(all))
	}
	for _, p := range all {
		p.leave()
	}
	peer.leave()
	gone()
	if all = places(); len(all) != maxUnprovenOne || u.moreFrom(nat) != 0 || len(u.proven) != 0 {
		t.Fatalf("%d places without peers", len(all))
	}
	for range 1000 {
		u.connect(nat)
	}
	if all = append(all, places()...); len(all) != maxUnprovenOne+maxMore {
		t.Errorf("%d places beside a thousand peers", len(all))
	}
}
