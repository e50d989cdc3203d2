package quicnet

import (
	"hash/maphash"
	"net/netip"
	"sync"

	"github.com/quic-go/quic-go/quicvarint"

	"github.com/libertaria-project/l2tun/internal/net/udp"
)

const (
	// maxBudgets is how many addresses an amplificationGuard distinguishes.
	maxBudgets = 16384
	// bareAck is more than an Initial packet has that only acknowledges. It must
	// not take from the budget what the first flight needs, which with packets of
	// 1200 bytes is exactly what came in; that flight acknowledges as well.
	bareAck = 100
	// retryByte is byte 0 of a Retry packet, but for four bits that mean nothing.
	retryByte = 0xF0
	// maxBudget is the most that an address has, bytes: several handshakes, and
	// not what a long connection from there has brought, which whoever forges the
	// address afterwards would have sent to it.
	maxBudget = 64 << 10
)

// An amplificationGuard limits bytes to unvalidated addresses to those that came from
// them (RFC 9000 8.1 allows three times as much). Addresses share places by a hash
// with a random seed, and the newest has the place: a flood costs fixed memory, and
// an address that loses its place gets no answer until it sends again. SPEC 3.4.
type amplificationGuard struct {
	seed maphash.Seed

	mu       sync.Mutex
	budgets  []budget
	exempted map[netip.AddrPort]int // how many of our dials and of complete connections
}

// A budget is an address's, known by its hash alone.
type budget struct {
	who  uint64
	left int // bytes that may still be sent
}

func newAmplificationGuard() *amplificationGuard {
	return &amplificationGuard{seed: maphash.MakeSeed(), budgets: make([]budget, maxBudgets), exempted: make(map[netip.AddrPort]int)}
}

// place is where an address's budget is, or another's in its stead.
func (l *amplificationGuard) place(a netip.AddrPort) (at *budget, who uint64) {
	who = maphash.Comparable(l.seed, a)
	return &l.budgets[who%maxBudgets], who
}

// heard adds what came in.
func (l *amplificationGuard) heard(from netip.AddrPort, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, who := l.place(from)
	if at.who != who {
		*at = budget{who: who}
	}
	at.left = min(at.left+len(b), maxBudget)
}

// allows says whether b may be sent, and takes it off the budget; exempt says that
// it needs none.
func (l *amplificationGuard) allows(to netip.AddrPort, b []byte) (ok, exempt bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, who := l.place(to)
	switch {
	case l.exempted[to] > 0:
		return true, true
	case at.who != who, len(b) > at.left, isInitial(b) && len(b) < bareAck && at.left-len(b) < smallPacket:
		return false, false
	}
	at.left -= len(b)
	return true, false
}

// padded is a datagram of our handshake with zeros behind it, up to the least size
// of a first packet: the peer may send us no more than we have sent, and what it
// has to repeat must fit. A receiver drops what follows the last packet of a
// datagram, if that packet says its length: where it does not, nothing is added.
func padded(b []byte) []byte {
	if len(b) == 0 || len(b) >= smallPacket || !endsKnown(b) {
		return b
	}
	return append(append(make([]byte, 0, smallPacket), b...), make([]byte, smallPacket-len(b))...)
}

// endsKnown reports whether a datagram consists of packets that say their length.
// Two kinds do not and end with the datagram: short headers, as the second half of
// a CONNECTION_CLOSE in a fresh connection has, and a Retry, which a peer gets on
// a new connection while its old one exempts it still.
func endsKnown(b []byte) bool {
	for len(b) > 0 {
		n := longSize(b)
		if n == 0 || n > len(b) {
			return false
		}
		b = b[n:]
	}
	return true
}

// longSize is the size of the packet that b begins with, 0 if it does not say it:
// first byte, version 4, two ids with their lengths, in an Initial a token with its
// length, and the length of the rest (RFC 9000 section 17.2).
func longSize(b []byte) int {
	if !udp.IsLong(b) || b[0]&0xF0 == retryByte {
		return 0
	}
	at := 5
	for range 2 {
		if at >= len(b) {
			return 0
		}
		at += 1 + int(b[at])
	}
	if b[0]&0x30 == 0 { // Initial
		at = behind(b, at)
	}
	return behind(b, at)
}

// behind is where what begins at a place with its length as a varint ends; more
// than there is if it does not fit.
func behind(b []byte, at int) int {
	if at >= len(b) {
		return len(b) + 1
	}
	size, n, err := quicvarint.Parse(b[at:])
	if err != nil || size > uint64(len(b)) {
		return len(b) + 1
	}
	return at + n + int(size)
}

// exempt exempts an address, until the function it returns is called: one that
// we dial, and one of a connection whose handshake is complete. Nobody else can
// limit what such a connection sends by forging its address.
func (l *amplificationGuard) exempt(a netip.AddrPort) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exempted[a]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.exempted[a]--; l.exempted[a] == 0 {
			delete(l.exempted, a)
		}
	}
}

// isExempt reports whether an address is exempt.
func (l *amplificationGuard) isExempt(a netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.exempted[a] > 0
}
