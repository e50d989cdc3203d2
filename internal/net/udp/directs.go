package udp

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"weak"
)

const (
	// MaxHeard bounds the paths that exist only because records came from there.
	MaxHeard = 1024
	// minSweep is the least number of used paths among which dead ones are sought.
	minSweep = 64
)

// directs is the table of direct paths: one object for equal remotes.
//
// A path is used once Direct has given it out, or once somebody has sent on it or
// set its room. Used paths live exactly as long as somebody holds them: the table
// knows them by weak pointers, so there is nothing to release. The others have
// only been heard, and anybody who saw a record id on the wire can bring them
// about from forged addresses: they stand in a ring of MaxHeard, from which the
// oldest goes. So a flood cannot push out a path that is in use.
type directs struct {
	out     directSender
	segment bool // the kernel cuts runs
	local   netip.AddrPort
	hints   *hints
	count   *Counters

	mu      sync.Mutex
	heard   map[netip.AddrPort]*directPath
	ring    [MaxHeard]*directPath // in order of arrival; holds what heard holds, or older
	next    int
	inUse   map[netip.AddrPort]weakPath
	sweepAt int
}

// A weakPath is a path that lives as long as somebody else holds it.
type weakPath = weak.Pointer[directPath]

// init readies the table for what sends, which leaves from local.
func (d *directs) init(out directSender, segment bool, local netip.AddrPort, h *hints, c *Counters) {
	d.out, d.segment, d.local = out, segment, local
	d.hints, d.count = h, c
	d.heard = make(map[netip.AddrPort]*directPath)
	d.inUse = make(map[netip.AddrPort]weakPath)
	d.sweepAt = minSweep
}

// to is the path to a remote that somebody asks for.
func (d *directs) to(remote netip.AddrPort) *directPath {
	p := d.from(withNumber(remote))
	p.use()
	return p
}

// from is the path to where a record came from.
func (d *directs) from(remote netip.AddrPort) *directPath {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.inUse[remote].Value(); p != nil {
		return p
	}
	if p := d.heard[remote]; p != nil {
		return p
	}
	p := &directPath{d: d, remote: remote, name: d.out.nameOf(remote)}
	p.room.Store(freshRoom)
	d.remember(p)
	return p
}

// stray is a path to a remote for one packet, which the table does not have. It
// leaves from where those of the table's path do.
func (d *directs) stray(remote netip.AddrPort) *directPath {
	p := &directPath{d: d, remote: remote, name: d.out.nameOf(remote)}
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.inUse[remote].Value()
	if known == nil {
		known = d.heard[remote]
	}
	if known != nil {
		p.source.Store(known.source.Load())
	}
	return p
}

// remember puts a new path in the place of the oldest; d.mu is held.
func (d *directs) remember(p *directPath) {
	if old := d.ring[d.next]; old != nil && d.heard[old.remote] == old {
		delete(d.heard, old.remote)
	}
	d.ring[d.next], p.slot = p, d.next
	d.heard[p.remote] = p
	d.next = (d.next + 1) % len(d.ring)
}

// keep makes a path a used one. One that was pushed out meanwhile, and has a
// successor in use, serves its holder all the same.
func (d *directs) keep(p *directPath) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.used.Store(true)
	if d.heard[p.remote] == p {
		delete(d.heard, p.remote)
	}
	if d.ring[p.slot] == p { // else it would live as long as the ring has it
		d.ring[p.slot] = nil
	}
	if d.inUse[p.remote].Value() != nil {
		return
	}
	if len(d.inUse) >= d.sweepAt {
		d.sweep()
	}
	d.inUse[p.remote] = weak.Make(p)
}

// sweep removes entries of paths that nobody holds any more; d.mu is held.
func (d *directs) sweep() {
	for remote, w := range d.inUse {
		if w.Value() == nil {
			delete(d.inUse, remote)
		}
	}
	d.sweepAt = max(minSweep, 2*len(d.inUse))
}

// held reports whether somebody holds a path.
func (d *directs) held() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep()
	return len(d.inUse) > 0
}

// withNumber unmaps an address and writes its zone as a number, as the socket does.
func withNumber(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr().Unmap()
	if zone := ip.Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			ip = ip.WithZone(strconv.Itoa(i.Index))
		}
	}
	return netip.AddrPortFrom(ip, a.Port())
}
