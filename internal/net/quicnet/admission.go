package quicnet

import (
	"hash/maphash"
	"net"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/udp"
)

const (
	// So many first packets a second are looked at, and in a burst; each may cost
	// a Retry, and a flood of them must leave time to read records.
	firstPackets      = 10_000
	firstPacketsBurst = 1000
	// Of these from one source, as sourceOf has it; a handshake needs two to four. From
	// one at which a peer has proven itself, knownCost times as many.
	firstPacketsOne      = 200
	firstPacketsOneBurst = 100

	knownCost = 10

	sourceBuckets = 1024

	// So many questions of less than 1200 bytes a second are answered, see echoes.
	echoRate = 10
	minEcho  = 64 // bytes; smaller ones get no answer

	// leastID is the shortest connection id that a client may choose for a server.
	leastID = 8
)

// An admission says which first packets are looked at, which handshakes must
// prove their address (Retry) first, and how many connections of strangers there
// may be.
type admission struct {
	all      *rate.Limiter
	one      *sourceLimits
	ours     *sourceLimits // of packets for ids of ours, from where we dial
	free     *rate.Limiter
	echo     *rate.Limiter
	unproven *unproven
	ids      connIDs
	dials    func(netip.AddrPort) bool // whether we dial an address or are connected to it
	count    *Counters
}

func newAdmission(ids connIDs, c *Counters, dials func(netip.AddrPort) bool) *admission {
	return &admission{ids: ids, all: rate.NewLimiter(firstPackets, firstPacketsBurst), one: newSourceLimits(), ours: newSourceLimits(),
		free: rate.NewLimiter(freeHandshakes, freeHandshakesBurst), echo: rate.NewLimiter(echoRate, echoRate), unproven: newUnproven(&c.Refused), dials: dials, count: c}
}

// admits passes packets to QUIC; of first ones those that are whole, and no more
// than it has time for. ours says that one names a connection id of ours: a server's
// first packets do, come from where we dial, may be small, and take nothing from what
// others have. Addresses are easily forged, so a source at which a peer is, or has
// been, is not cut off by its own bucket as long as there is time for more.
func (d *admission) admits(b []byte, from netip.AddrPort, ours bool) bool {
	if !isInitial(b) {
		return true
	}
	exempt, known, now := d.dials(from), d.unproven.remembers(from.Addr()), time.Now()
	looked := false
	switch {
	case exempt && ours:
		looked = d.ours.allow(from.Addr(), known, now)
	case !wholeInitial(b):
		d.count.Malformed.Add(1)
		return false
	case exempt || known:
		looked = d.one.allow(from.Addr(), known, now) || d.all.TokensAt(now) > firstPacketsBurst/2 && d.all.AllowN(now, 1)
	default:
		looked = d.one.allow(from.Addr(), false, now) && d.all.AllowN(now, 1)
	}
	if !looked {
		d.count.TurnedAway.Add(1)
	}
	return looked
}

// isInitial knows a long header of version 1 and type Initial.
func isInitial(b []byte) bool {
	return len(b) >= 5 && b[0]&0xF0 == 0xC0 && [4]byte(b[1:5]) == [4]byte{0, 0, 0, 1}
}

// echoes reports whether a packet asks whether small datagrams come through: its
// version is one of those that RFC 9000 15 reserves for being unknown. QUIC answers
// only where the question has 1200 bytes, so it is padded; the answer is smaller than
// the question.
func (d *admission) echoes(b []byte) bool {
	if len(b) < minEcho || len(b) >= smallPacket || !udp.IsLong(b) {
		return false
	}
	for _, v := range b[1:5] {
		if v&0x0F != 0x0A {
			return false
		}
	}
	return d.echo.Allow()
}

// wholeInitial reports whether a datagram is as large as a client's first must be,
// and its first packet lies inside it with all its lengths (RFC 9000 14.1, 17.2.2).
func wholeInitial(b []byte) bool {
	if len(b) < smallPacket || b[5] < leastID {
		return false
	}
	n := longSize(b)
	return n > 0 && n <= len(b)
}

// verify is quic.Transport.VerifySourceAddress.
func (d *admission) verify(a net.Addr) bool {
	if !d.unproven.suspects(netaddr.PortOf(a).Addr()) && d.free.Allow() {
		return false
	}
	d.count.Retries.Add(1)
	return true
}

// sourceLimits are token buckets that sources share by a hash with a random seed:
// fixed memory, whatever arrives. With the seed unknown nobody can choose to share
// another's bucket.
type sourceLimits struct {
	seed maphash.Seed
	all  [sourceBuckets]*rate.Limiter
}

func newSourceLimits() *sourceLimits {
	l := &sourceLimits{seed: maphash.MakeSeed()}
	for i := range l.all {
		l.all[i] = rate.NewLimiter(firstPacketsOne*knownCost, firstPacketsOneBurst*knownCost)
	}
	return l
}

func (l *sourceLimits) allow(a netip.Addr, known bool, now time.Time) bool {
	cost := knownCost
	if known {
		cost = 1
	}
	return l.all[maphash.Comparable(l.seed, netaddr.SourceOf(a))%sourceBuckets].AllowN(now, cost)
}
