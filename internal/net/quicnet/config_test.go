package quicnet

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

// SPEC R-3.1-2.
func TestConnectionIDsNeverCarryTheTag(t *testing.T) {
	g, other := newConnIDs([32]byte{1}), idCheck{ids: newConnIDs([32]byte{2})}
	again := idCheck{ids: newConnIDs([32]byte{1})} // the process after a restart
	for range 1000 {
		id, err := g.GenerateConnectionID()
		if err != nil || id.Len() != idLength || id.Bytes()[0]&0x80 != 0 {
			t.Fatalf("id %v, %v", id, err)
		}
		if !again.own(id.Bytes()) || other.own(id.Bytes()) {
			t.Fatalf("id %v: ours %v, the other's %v", id, again.own(id.Bytes()), other.own(id.Bytes()))
		}
	}
	id := make([]byte, idLength)
	if n := testing.AllocsPerRun(100, func() { again.own(id) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func initialPacket(size int, src netip.AddrPort) udp.Packet {
	b := make([]byte, size)
	b[0], b[4] = 0xC3, 1
	if size >= 20 { // ids of 8 bytes and none, no token, and the rest as one packet
		b[5] = 8
		binary.BigEndian.PutUint16(b[16:], uint16(size-18)|0x4000)
	}
	return udp.Packet{Data: b, Src: src}
}

// someSource is one of many addresses.
func someSource(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
}

func noneExempt(netip.AddrPort) bool { return false }

// SPEC R-3.4-5.
func TestSmallInitialsAreAnsweredInKind(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var tr Endpoint
		s := &tr.initials
		small, full := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")
		s.note(initialPacket(1200, small))
		s.note(initialPacket(1452, full))
		handshake, short, cut := initialPacket(1200, full), initialPacket(1200, full), initialPacket(1200, full)
		cut.Data = cut.Data[:4]
		handshake.Data[0] = 0xE3
		short.Data[0] = 0x43
		s.note(handshake)
		s.note(short)
		s.note(cut)
		size := func(a netip.AddrPort) uint16 {
			c, err := tr.configFor(&quic.ClientInfo{RemoteAddr: net.UDPAddrFromAddrPort(a)})
			if err != nil {
				t.Fatal(err)
			}
			return c.InitialPacketSize
		}
		if size(small) != 1200 || size(full) != 1452 {
			t.Fatalf("sizes %d and %d", size(small), size(full))
		}
		time.Sleep(initialLife + time.Second)
		if size(small) != 1452 {
			t.Fatal("remembered for too long")
		}
	})
}

func TestSmallInitialsAreBounded(t *testing.T) {
	var s smallInitials
	for i := range 3 * maxInitials {
		s.note(initialPacket(1200, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)))
	}
	if len(s.seen) > maxInitials {
		t.Fatalf("%d entries", len(s.seen))
	}
	faults.Report(t, "H5", true, "%d small dials remembered of %d", len(s.seen), 3*maxInitials)
}

func TestFullPathMTUIsNotTakenForASmallOne(t *testing.T) {
	_, b, ca, cb := pair(t)
	if ca.Path().Room() != 1415 || cb.Path().Room() != 1415 {
		t.Fatal("rooms", ca.Path().Room(), cb.Path().Room())
	}
	if len(b.initials.seen) != 0 {
		t.Fatal("a full-size handshake left a mark")
	}
}

func TestManyHandshakesMustProveTheirAddress(t *testing.T) {
	var count Counters
	admission := newAdmission(connIDs{}, &count, noneExempt)
	asked := 0
	for range freeHandshakesBurst + 50 {
		if admission.verify(nil) {
			asked++
		}
	}
	if asked == 0 || asked > 50 || count.Retries.Load() != uint64(asked) {
		t.Fatalf("%d asked, %d counted", asked, count.Retries.Load())
	}
}

func TestFirstPacketsAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var count Counters
		admission := newAdmission(connIDs{}, &count, noneExempt)
		first, other := initialPacket(1200, netip.AddrPort{}).Data, []byte{0x40, 1, 2}
		taken := 0
		for i := range 50_000 { // in one second, of many sources
			time.Sleep(20 * time.Microsecond)
			if admission.admits(first, someSource(i), false) {
				taken++
			}
			if !admission.admits(other, someSource(i), false) {
				t.Fatal("a packet of a connection was turned away")
			}
		}
		if taken < firstPackets || taken > firstPackets+firstPacketsBurst+10 || count.TurnedAway.Load() != uint64(50_000-taken) {
			t.Fatalf("%d taken, %d counted", taken, count.TurnedAway.Load())
		}
	})
}

// What only begins as a first packet costs nothing of what first packets have, one
// source does not take what the others need, and a server's small ones come in.
func TestFirstPacketsOfOneSourceLeaveRoom(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var count Counters
		server := netip.MustParseAddrPort("192.0.2.80:4242")
		admission := newAdmission(connIDs{}, &count, func(a netip.AddrPort) bool { return a == server })
		peer, flood := netip.MustParseAddrPort("192.0.2.7:4242"), netip.MustParseAddrPort("203.0.113.66:9")
		whole := initialPacket(1200, peer).Data
		short, long, token := initialPacket(7, flood).Data, initialPacket(1200, flood).Data, initialPacket(1200, flood).Data
		binary.BigEndian.PutUint16(long[16:], 1200|0x4000) // the packet ends outside the datagram
		token[15] = 0x7F                                   // so does the token
		token[16] = 0xFF
		bare := initialPacket(1200, flood).Data
		bare[5] = 0 // no connection id
		taken := 0
		const packets = 120_000
		for i := range packets {
			time.Sleep(time.Second / packets)
			for _, b := range [][]byte{short, bare, long, token} {
				if admission.admits(b, someSource(i), false) {
					t.Fatalf("% x is looked at", b[:7])
				}
			}
			if admission.admits(whole, flood, false) {
				taken++
			}
		}
		if taken > firstPacketsOne+firstPacketsOneBurst+1 {
			t.Errorf("%d first packets of one source in a second", taken)
		}
		if left := admission.all.Tokens(); left < firstPacketsBurst/2 {
			t.Errorf("%v left for others", left)
		}
		in := 0
		for range 50 {
			if admission.admits(whole, peer, false) {
				in++
			}
		}
		if in != 50 || !admission.admits(short, server, true) {
			t.Errorf("%d of 50 genuine first packets are looked at", in)
		}
		faults.Report(t, "S15", in == 50, "%d first packets in a second, most of them not whole: %d of one source looked at, 50 of 50 genuine ones, the rest counted (%d malformed, %d turned away)",
			5*packets, taken, count.Malformed.Load(), count.TurnedAway.Load())
	})
}

// Who forges the address of a peer does not keep the peer out: neither where we dial
// it, nor where it dials us.
func TestFirstPacketsInAPeersNameLeaveItRoom(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var count Counters
		server, peer := netip.MustParseAddrPort("192.0.2.80:4242"), netip.MustParseAddrPort("192.0.2.7:4242")
		admission := newAdmission(connIDs{}, &count, func(a netip.AddrPort) bool { return a == server })
		admission.unproven.learn(peer.Addr(), time.Now())
		whole, short := initialPacket(1200, peer).Data, initialPacket(60, server).Data
		const seconds, rate, every = 2, 5000, 50
		in, tried := [2]int{}, 0
		for i := range seconds * rate {
			time.Sleep(time.Second / rate)
			for _, a := range []netip.AddrPort{peer, server} { // the forger's
				admission.admits(whole, a, false)
				admission.admits(short, a, false)
			}
			if i%every != 0 {
				continue
			}
			tried++
			if admission.admits(whole, peer, false) { // the peer dials us
				in[0]++
			}
			if admission.admits(short, server, true) { // we dial a peer
				in[1]++
			}
		}
		if in[0] < tried*9/10 || in[1] != tried {
			t.Errorf("of %d first packets %d of a peer that dials and %d of one that is dialled are looked at", tried, in[0], in[1])
		}
		strangers := 0
		for i := range 400 {
			if admission.admits(whole, someSource(i), false) {
				strangers++
			}
		}
		if strangers < 300 {
			t.Errorf("%d of 400 strangers are looked at", strangers)
		}
		faults.Report(t, "S32", in[0] >= tried*9/10 && in[1] == tried, "20,000 first packets a second in the names of two peers: %d of %d of the one that dials and %d of the one that is dialled are looked at, and %d of 400 of strangers",
			in[0], tried, in[1], strangers)
	})
}

func TestRetryStillConnects(t *testing.T) {
	a, b := startNode(t, loopback), startNode(t, loopback)
	b.admission.free.SetLimit(0)
	b.admission.free.SetBurst(0)
	ca, cb := connect(t, a, b, b.LocalAddr())
	wantTraffic(t, a, b, ca, cb)
	if b.count.Retries.Load() == 0 {
		t.Fatal("no retry was sent")
	}
}
