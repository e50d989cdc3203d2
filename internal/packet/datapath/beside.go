package datapath

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/libertaria-project/l2tun/routing"
)

// beside is where the kernel sends before it comes to a peer's route: the networks that
// the host is on, with the longer prefixes of peers taken out. A peer's packet for there
// would not go on to the peer that owns the address, but to a LAN (SPEC section 7.2).
type beside struct {
	mu  sync.Mutex          // one change at a time
	at  routing.Table[bool] // whether the kernel sends elsewhere; none: no
	has []netip.Prefix
}

// SetBeside names the networks that the host is on by other interfaces. Call it again
// after peers were given prefixes or have lost some. Of two prefixes of one length the
// host's counts, whose route has the better metric. During a change no network opens
// that is closed before and after.
func (o *Owners) SetBeside(host []netip.Prefix) {
	b := &o.beside
	b.mu.Lock()
	defer b.mu.Unlock()
	now := make(map[netip.Prefix]bool)
	networks := make(map[netip.Prefix]bool)
	for _, p := range host {
		now[p.Masked()], networks[p.Masked()] = true, true
	}
	lengths := lengths(networks)
	for p, owner := range o.routes.All() {
		if owner != o.nobody && !now[p] && inside(p, networks, lengths) {
			now[p] = false
		}
	}
	for p, elsewhere := range now {
		b.at.Delete(p, !elsewhere)
		_ = b.at.Insert(p, elsewhere) // nothing is at p but what was just taken away, or the same
	}
	for _, p := range b.has {
		if elsewhere, stays := now[p]; !stays {
			b.at.Delete(p, elsewhere)
			b.at.Delete(p, !elsewhere)
		}
	}
	b.has = b.has[:0]
	for p := range now {
		b.has = append(b.has, p)
	}
}

// lengths are those that prefixes have, each once: a host has few, however many
// networks it is on.
func lengths(of map[netip.Prefix]bool) (all []int) {
	for p := range of {
		if !slices.Contains(all, p.Bits()) {
			all = append(all, p.Bits())
		}
	}
	return all
}

// inside reports whether one of the networks, which have these lengths, holds all of p.
func inside(p netip.Prefix, networks map[netip.Prefix]bool, lengths []int) bool {
	for _, n := range lengths {
		if n < p.Bits() && networks[netip.PrefixFrom(p.Addr(), n).Masked()] {
			return true
		}
	}
	return false
}

// elsewhere reports whether the kernel sends to an address of a peer by another
// interface than the device.
func (b *beside) elsewhere(a netip.Addr) bool {
	is, _ := b.at.Lookup(a)
	return is
}
