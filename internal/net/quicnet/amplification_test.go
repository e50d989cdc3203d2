package quicnet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/quic-go/quic-go/quicvarint"

	"github.com/libertaria-project/l2tun/test/faults"
)

func longPacket(n int) []byte  { b := make([]byte, n); b[0] = 0xC0; return b }
func shortPacket(n int) []byte { b := make([]byte, n); b[0] = 0x40; return b }

// SPEC 3.4: no more bytes out than in before an address is proven.
func TestBytesOutAreBoundedByBytesIn(t *testing.T) {
	l := newAmplificationGuard()
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:1")
	steps := []struct {
		in, out int // bytes; of what is sent
		want    bool
	}{{0, 40, false}, {1200, 1200, true}, {0, 1, false}, {100, 60, true}, {0, 60, false}, {0, 40, true}}
	for i, s := range steps {
		if s.in > 0 {
			l.heard(a, longPacket(s.in))
		}
		if got, _ := l.allows(a, longPacket(s.out)); got != s.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	allows := func(to netip.AddrPort, b []byte) bool { ok, _ := l.allows(to, b); return ok }
	if allows(a, shortPacket(50)) {
		t.Error("a short header beyond the budget")
	}
	l.heard(a, shortPacket(50))
	if !allows(a, shortPacket(50)) || allows(b, shortPacket(40)) {
		t.Error("short headers: what came in counts, and without it nothing leaves")
	}
	done, again := l.exempt(b), l.exempt(b)
	done()
	if !allows(b, longPacket(1452)) {
		t.Error("b is exempt")
	}
	again()
	if allows(b, longPacket(40)) || len(l.exempted) != 0 {
		t.Error("the exemption is over")
	}
}

// What a long connection brought is not there for who forges its address later.
func TestAmplificationBudgetIsBounded(t *testing.T) {
	l := newAmplificationGuard()
	a := netip.MustParseAddrPort("192.0.2.1:1")
	l.heard(a, longPacket(1200))
	end := l.exempt(a)
	for range 10_000 {
		l.heard(a, shortPacket(1200))
	}
	end()
	sent := 0
	for ok := true; ok && sent <= 10*maxBudget; sent += 1200 {
		ok, _ = l.allows(a, longPacket(1200))
	}
	if sent > maxBudget+1200 {
		t.Errorf("%d bytes leave for an address that has not proven itself again", sent)
	}
}

// A bare acknowledgement does not use up what the first flight of 1200 needs.
func TestBudgetIsKeptForTheFirstFlight(t *testing.T) {
	l := newAmplificationGuard()
	a := netip.MustParseAddrPort("192.0.2.1:1")
	initial := func(n int) []byte { return initialPacket(n, a).Data }
	l.heard(a, initial(1200))
	if ok, _ := l.allows(a, initial(60)); ok {
		t.Error("an acknowledgement took its share")
	}
	l.heard(a, initial(1200))
	for range 2 {
		if ok, _ := l.allows(a, initial(1200)); !ok {
			t.Error("the first flight was refused")
		}
	}
	l.heard(a, initial(1452))
	if ok, _ := l.allows(a, initial(60)); !ok {
		t.Error("an acknowledgement was refused although there is room")
	}
}

// A flood of addresses takes no memory, and costs one that answers at once little.
func TestAmplificationLimitUnderAFlood(t *testing.T) {
	l := newAmplificationGuard()
	kept := 0
	for i := range 100_000 {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], uint32(i))
		from := netip.AddrPortFrom(netip.AddrFrom4(ip), 7)
		l.heard(from, longPacket(1200))
		if i%100 != 99 {
			continue
		}
		var before [4]byte
		binary.BigEndian.PutUint32(before[:], uint32(i-99))
		if ok, _ := l.allows(netip.AddrPortFrom(netip.AddrFrom4(before), 7), longPacket(1200)); ok {
			kept++
		}
	}
	if len(l.budgets) != maxBudgets || kept < 950 {
		t.Errorf("%d of 1000 have their budget a hundred packets later", kept)
	}
	faults.Report(t, "H7", true, "the amplification limit: %d of 1000 addresses keep their budget over 100 packets of others, in %d places", kept, len(l.budgets))
}

// handshakePacket says its length: header, ids of 8 bytes, n bytes of the rest.
func handshakePacket(n int) []byte {
	b := append([]byte{0xE3, 0, 0, 0, 1, 8}, make([]byte, 8)...)
	b = append(append(b, 8), make([]byte, 8)...)
	return append(quicvarint.Append(b, uint64(n)), make([]byte, n)...)
}

// initialWithToken is an Initial packet with a token.
func initialWithToken(token, n int) []byte {
	b := append([]byte{0xC1, 0, 0, 0, 1, 8}, make([]byte, 8)...)
	b = append(append(b, 8), make([]byte, 8)...)
	b = append(quicvarint.Append(b, uint64(token)), make([]byte, token)...)
	return append(quicvarint.Append(b, uint64(n)), make([]byte, n)...)
}

// SPEC R-3.4-6.
func TestPacketsOfOurHandshakesArePadded(t *testing.T) {
	for name, b := range map[string][]byte{
		"Handshake":             handshakePacket(60),
		"Initial":               initialWithToken(0, 60),
		"Initial with a token":  initialWithToken(100, 60),
		"Initial and Handshake": slices.Concat(initialWithToken(70, 60), handshakePacket(300)),
	} {
		got := padded(b)
		if len(got) != smallPacket || !bytes.HasPrefix(got, b) || bytes.ContainsFunc(got[len(b):], func(r rune) bool { return r != 0 }) {
			t.Errorf("%s: %d bytes become %d", name, len(b), len(got))
		}
	}
}

// What ends with its datagram would be changed by what stands behind it.
func TestPacketsWithoutALengthAreNotPadded(t *testing.T) {
	for name, b := range map[string][]byte{
		"short header":               shortPacket(60),
		"Retry":                      append([]byte{0xFA, 0, 0, 0, 1}, make([]byte, 60)...),
		"Handshake and short header": slices.Concat(handshakePacket(40), shortPacket(30)),
		"cut off":                    handshakePacket(60)[:50],
		"cut off in its ids":         handshakePacket(60)[:9],
		"only a first byte":          {0xC0},
		"full size":                  handshakePacket(1400),
	} {
		if got := padded(b); len(got) != len(b) {
			t.Errorf("%s: %d bytes become %d", name, len(b), len(got))
		}
	}
}
