package transport

import (
	"hash/maphash"
	"net/netip"
	"sync"
)

const (
	// maxAccounts is how many addresses a ledger tells apart.
	maxAccounts = 16384
	// bareAck is more than an Initial packet has that only acknowledges. It must
	// not take from the account what the first flight needs, which with packets of
	// 1200 bytes is exactly what came in; that flight acknowledges as well.
	bareAck = 100
	// retryByte is byte 0 of a Retry packet, but for four bits that mean nothing.
	retryByte = 0xF0
	// maxCredit is the most that an account holds, bytes: several handshakes, and
	// not what a long connection from there has brought, which whoever forges the
	// address afterwards would have sent to it.
	maxCredit = 64 << 10
)

// A ledger holds what QUIC sends against what came in: an address that has not
// proven itself never gets more bytes than it has sent, whoever forged it (QUIC
// itself allows three times as much). Addresses share places by a hash with a
// random seed, and the newest has the place: a flood costs fixed memory, and who
// loses the place gets no answer until it sends again. SPEC section 3.
type ledger struct {
	seed maphash.Seed

	mu       sync.Mutex
	accounts []account
	friends  map[netip.AddrPort]int // how many of our dials and of complete connections
}

// An account is an address's, known by its hash alone.
type account struct {
	who    uint64
	credit int // bytes that may still be sent
}

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), accounts: make([]account, maxAccounts), friends: make(map[netip.AddrPort]int)}
}

// place is where an address's account is, or another's in its stead.
func (l *ledger) place(a netip.AddrPort) (at *account, who uint64) {
	who = maphash.Comparable(l.seed, a)
	return &l.accounts[who%maxAccounts], who
}

// heard adds what came in. An account begins with a long header, as handshakes
// do.
func (l *ledger) heard(from netip.AddrPort, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, who := l.place(from)
	if at.who != who {
		if !isLong(b) {
			return
		}
		*at = account{who: who}
	}
	at.credit = min(at.credit+len(b), maxCredit)
}

// allows says whether b may be sent, and takes it off the account; friend says that
// it needs none. Short headers to an address without an account answer short
// headers, and are shorter.
func (l *ledger) allows(to netip.AddrPort, b []byte) (ok, friend bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, who := l.place(to)
	switch {
	case l.friends[to] > 0:
		return true, true
	case at.who != who:
		return !isLong(b), false
	case len(b) > at.credit, isInitial(b) && len(b) < bareAck && at.credit-len(b) < smallPacket:
		return false, false
	}
	at.credit -= len(b)
	return true, false
}

// padded is a packet of our handshake with zeros behind it, up to the least size
// of a first packet: the peer may send us no more than we have sent, and what it
// has to repeat must fit. A receiver drops what follows the last packet of a
// datagram. A Retry has no length and ends with its tag, so it is left as it is:
// a peer gets one on a new connection while its old one makes it a friend still.
func padded(b []byte) []byte {
	if !isLong(b) || len(b) >= smallPacket || b[0]&0xF0 == retryByte {
		return b
	}
	return append(append(make([]byte, 0, smallPacket), b...), make([]byte, smallPacket-len(b))...)
}

// befriend exempts an address, until the function it returns is called: one that
// we dial, and one of a connection whose handshake is complete. Nobody else can
// limit what such a connection sends by forging its address.
func (l *ledger) befriend(a netip.AddrPort) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.friends[a]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.friends[a]--; l.friends[a] == 0 {
			delete(l.friends, a)
		}
	}
}

// isLong knows packets with a long header, which those of a handshake have.
func isLong(b []byte) bool { return len(b) > 0 && b[0]&0x80 != 0 }
