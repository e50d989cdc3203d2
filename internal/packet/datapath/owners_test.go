package datapath

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/faults"
)

// packet6 is packet for IPv6: UDP, without a checksum.
func packet6(src, dst netip.Addr, n int) []byte {
	b := make([]byte, n)
	b[0], b[6], b[7] = 0x60, 17, 64
	binary.BigEndian.PutUint16(b[4:], uint16(n-40))
	copy(b[8:], src.AsSlice())
	copy(b[24:], dst.AsSlice())
	return b
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// SPEC 7.2: a hub, which owns the network that this node's addresses are in, may
// not send from them; nor from what lies behind this node.
func TestOwnAddressesAreNoPeersSource(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	for _, p := range prefixes("fd00::/64", "10.0.0.0/24", "192.168.0.0/16") {
		if err := b.data.Owners().Routes().Insert(p, b.peer); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.data.Owners().SetOwn(prefixes("10.0.0.2/32", "fd00::2/128", "192.168.50.0/24")); err != nil {
		t.Fatal(err)
	}
	behind := netip.MustParseAddr("192.168.50.9")
	a.send(t, b, packet6(addrB6, addrB6, 60), packet(addrB, addrB, 60, 0), packet(behind, addrB, 60, 0))
	b.silent(t)
	n := b.peer.Traffic().Drops()["bad_source"]
	if n != 3 {
		t.Errorf("%d of 3 counted", n)
	}
	notes := b.data.Notes(time.Now().Add(-time.Minute))
	if len(notes) != 3 {
		t.Fatalf("%d noted", len(notes))
	}
	for _, note := range notes {
		if _, here := b.data.Owners().Of(note.Addr); !here || note.Reason != link.DropBadSource || note.Peer != b.peer || note.Packets != 1 {
			t.Errorf("%+v, ours: %v", note, here)
		}
	}
	good := packet6(netip.MustParseAddr("fd00::77"), addrB6, 60) // control: the rest of the network is the hub's
	a.send(t, b, good)
	if !bytes.Equal(b.next(t), good) {
		t.Error("another packet came out")
	}
	faults.Report(t, "S7", n == 3, "IPv6 from our own address to itself, IPv4 the same, from a network behind us: 3 of 3 dropped, counted bad_source and named; another address of the hub's network passes")
}

// SPEC 7.2: where a peer's packet may go.
// SPEC R-7.2-2.
func TestDestinationsOfPeers(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	other := b.data.NewPeer(limits, b.sink)
	if err := b.data.Owners().Routes().Insert(netip.MustParsePrefix("10.0.3.0/24"), other); err != nil {
		t.Fatal(err)
	}
	own := prefixes("10.0.0.2/32", "fd00::2/128")
	if err := b.data.Owners().SetOwn(append(own, prefixes("192.168.50.0/24")...)); err != nil {
		t.Fatal(err)
	}
	counted := func() uint64 { return b.peer.Traffic().Drops()["bad_destination"] }
	sends := func(dst string) bool {
		before := counted()
		p := packet(addrA, netip.MustParseAddr(dst), 60, 0)
		if a.send(t, b, p); counted() != before {
			b.silent(t)
			return false
		}
		return bytes.Equal(b.next(t), p)
	}
	for _, dst := range []string{"10.0.0.2", "10.0.3.9", "192.168.50.1", "192.168.50.255"} {
		if !sends(dst) {
			t.Errorf("to %s: dropped", dst)
		}
	}
	refused := []string{"192.168.51.1", "172.17.0.2", "8.8.8.8", "127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "10.0.0.1", "10.0.0.255"}
	for _, dst := range refused {
		if sends(dst) {
			t.Errorf("to %s: delivered", dst)
		}
	}
	for _, dst := range []string{"ff02::1", "fe80::1", "::1", "fd00::3", "::ffff:10.0.0.2"} {
		before := counted()
		if a.send(t, b, packetFrom6(t, a, b, dst)); counted() != before+1 {
			t.Errorf("to %s: not counted", dst)
		}
		b.silent(t)
	}
	total := counted()
	if err := b.data.Owners().SetOwn(own); err != nil { // a reload that takes the route away
		t.Fatal(err)
	}
	gone := !sends("192.168.50.1")
	if !gone || !sends("10.0.0.2") {
		t.Error("after the route was taken away")
	}
	faults.Report(t, "S23", gone && total == uint64(len(refused)+5), "%d destinations beyond this node, its route and its peers dropped and counted bad_destination; its own address, a routed network and another peer's reached; the routed network no more once the route is gone", total)
}

// packetFrom6 is one that B lets through but for its destination.
func packetFrom6(t *testing.T, a, b *side, dst string) []byte {
	t.Helper()
	if err := b.data.Owners().Routes().Insert(netip.PrefixFrom(addrA6, 128), b.peer); err != nil {
		t.Fatal(err)
	}
	return packet6(addrA6, netip.MustParseAddr(dst), 60)
}

// What a peer's prefix holds and what is this node's cannot be the same prefix.
func TestOwnPrefixOfAPeerIsNamed(t *testing.T) {
	_, b := newPair(t, 1415)
	if err := b.data.Owners().SetOwn(prefixes("10.0.0.1/32", "10.0.0.2/32")); err == nil {
		t.Error("a peer's address was made ours")
	}
	if _, here := b.data.Owners().Of(addrB); !here {
		t.Error("the others were not taken")
	}
	if p, _ := b.data.Owners().Of(addrA); p != b.peer {
		t.Error("the peer has lost its address")
	}
}

// A peer that sends from ever new addresses fills four places, and pushes out
// nothing that is known of others.
func TestNotesAreBoundedForEachPeer(t *testing.T) {
	var n notes
	now := time.Now()
	var d Datapath
	peers := []*Peer{{d: &d}, {d: &d}}
	n.note(Note{Reason: link.DropBadSource, Peer: peers[0], Addr: addrA}, now)
	for i := range 100_000 {
		n.note(Note{Reason: link.DropBadSource, Peer: peers[1], Addr: netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1})}, now.Add(time.Duration(i)))
	}
	of := make(map[*Peer]int)
	for _, note := range n.all {
		of[note.Peer]++
	}
	if of[peers[0]] != 1 || of[peers[1]] != maxPeerNotes {
		t.Errorf("%d and %d places", of[peers[0]], of[peers[1]])
	}
	for i := range 2 * maxNotes {
		n.note(Note{Reason: link.DropNoRoute, Peer: &Peer{d: &d}, Addr: addrB}, now.Add(time.Duration(i)))
	}
	if len(n.all) != maxNotes {
		t.Errorf("%d places in all", len(n.all))
	}
	if n.forget(peers[1]); len(n.all) == 0 {
		t.Error("all forgotten")
	}
	i := 0
	if allocs := testing.AllocsPerRun(100, func() {
		i++
		n.note(Note{Reason: link.DropNoRoute, Peer: nil, Addr: netip.AddrFrom4([4]byte{1, 1, 1, byte(i)})}, now)
	}); allocs != 0 {
		t.Errorf("a note allocates %v times", allocs)
	}
}
