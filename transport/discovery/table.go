package discovery

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const (
	maxEndpoints = 4               // of a peer
	endpointLife = 2 * time.Minute // after it was last heard of
)

// Found says where a peer may be. It is a guess that a handshake has to prove.
type Found struct {
	Peer     did.DID
	Endpoint netip.AddrPort // a link-local address has its interface's index as zone
}

// A Table keeps what was found. The zero value is empty and ready; it must not
// be copied. Safe for concurrent use.
type Table struct {
	mu    sync.Mutex
	known map[did.DID][]place
	swept time.Time
}

type place struct {
	at    netip.AddrPort
	heard time.Time
}

// Add notes f as the newest of its peer and lets the oldest beyond 4 go. It
// reports whether the endpoint is new.
func (t *Table) Add(f Found, now time.Time) (fresh bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep(now)
	list := living(t.known[f.Peer], now)
	i := slices.IndexFunc(list, func(p place) bool { return p.at == f.Endpoint })
	if fresh = i < 0; !fresh {
		list = slices.Delete(list, i, i+1)
	}
	list = slices.Insert(list, 0, place{f.Endpoint, now})
	t.known[f.Peer] = list[:min(len(list), maxEndpoints)]
	return fresh
}

// Endpoints are those of a peer that have been heard of in the last 2 minutes,
// the newest first, at most 4.
func (t *Table) Endpoints(peer did.DID, now time.Time) (out []netip.AddrPort) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range living(t.known[peer], now) {
		out = append(out, p.at)
	}
	return out
}

// sweep forgets peers of whom nothing is left; t.mu is held.
func (t *Table) sweep(now time.Time) {
	if t.known == nil {
		t.known = make(map[did.DID][]place)
	}
	if now.Sub(t.swept) < endpointLife {
		return
	}
	t.swept = now
	for peer, list := range t.known {
		if len(living(list, now)) == 0 {
			delete(t.known, peer)
		}
	}
}

// living is the part of a list, newest first, that has not run out.
func living(list []place, now time.Time) []place {
	n := len(list)
	for n > 0 && now.Sub(list[n-1].heard) >= endpointLife {
		n--
	}
	return list[:n]
}
