package paths

import (
	"net/netip"
	"time"
)

// maxCandidates bounds direct paths beside the one in use: addresses that records
// came from. maxTold bounds those that were told, so that forged strangers never
// push out what the peer says.
const (
	maxCandidates = 3
	maxTold       = 8
)

// newCandidates is how many addresses that only records came from become
// candidates a second, and in a burst.
const newCandidates = 3

// What goes to addresses that the peer has told and that have not answered costs
// its bytes with headers: a peer has toldBurst bytes, refilled at toldRate a second.
// What all peers may cost together is the caller's to bound.
const (
	toldBurst = 32 << 10
	toldRate  = 1 << 10
)

// A budget limits the rate of addresses that only records came from: a token
// bucket, kept as the time at which it would be full (GCRA).
type budget struct {
	full time.Time
	told purse
}

// take reports whether another address may become a candidate.
func (b *budget) take(now time.Time) bool {
	const each = time.Second / newCandidates
	full := latest(b.full, now)
	if full.Sub(now) > (newCandidates-1)*each {
		return false
	}
	b.full = full.Add(each)
	return true
}

// A purse limits bytes in the same way.
type purse struct{ filled time.Time }

// pay takes what datagrams of some bytes to a remote cost; false: nothing is left.
func (w *purse) pay(remote netip.AddrPort, bytes, datagrams int, now time.Time) bool {
	cost := time.Duration(wireBytes(remote, bytes)*datagrams) * time.Second / toldRate
	filled := latest(w.filled, now).Add(cost)
	if filled.Sub(now) > toldBurst/toldRate*time.Second {
		return false
	}
	w.filled = filled
	return true
}

// wireBytes are those of a datagram with UDP and IP headers.
func wireBytes(remote netip.AddrPort, bytes int) int {
	if remote.Addr().Unmap().Is4() {
		return bytes + 28
	}
	return bytes + 48
}

// crowded are the candidates that make room for another one of an origin, the
// newest stay.
func (l list) crowded(using *path, o Origin) (out []*path) {
	n, most := 0, maxCandidates
	if o.said() {
		most = maxTold
	}
	for i := len(l) - 1; i >= 0; i-- {
		if p := l[i]; p.direct() && p != using && p.Origin.said() == o.said() {
			if n++; n >= most {
				out = append(out, p)
			}
		}
	}
	return out
}
