package udp

import (
	"crypto/rand"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// openerSize is that of an opener and of a knock, bytes: a record's by form, and not
	// that of a stateless reset.
	openerSize = 44
	// openerRate is what openers and knocks to all remotes together cost in a second at
	// most, bytes with the headers of UDP and IP; openerBurst what they may at once.
	openerRate  = 256 << 10
	openerBurst = 64 << 10
	// answerTime is how long ICMP messages about a remote are the answer to an opener or
	// a knock, and no hint.
	answerTime = 5 * time.Second
	// maxStrangers bounds the remotes of which that is known. ICMP messages about others
	// are hints.
	maxStrangers = 4096
	// firewallDepth is the least hop limit of IPv6: routers have public addresses there,
	// and the first one is mostly a firewall, which opens for what has passed it.
	firewallDepth = 2
)

// openers sends what opens NATs and firewalls of this end, and judges what comes of it.
// The remotes have asked for none of it, a peer has named them: so there is a budget
// over all of them. It is safe for concurrent use.
type openers struct {
	directs *directs
	known   func(wire.RecordID) bool // whether a record id is in use here
	count   *Counters
	budget  *rate.Limiter

	mu        sync.Mutex
	strangers map[netip.AddrPort]time.Time // when something last left for them
	swept     time.Time                    // when old ones were last removed
	depths    [2]search                    // of IPv4 and IPv6
}

// A search is one towards a remote.
type search struct {
	depthSearch
	remote netip.AddrPort
	stop   chan struct{} // closed when another one takes its place; nil: there is none
}

func newOpeners(d *directs, known func(wire.RecordID) bool, c *Counters) *openers {
	return &openers{directs: d, known: known, count: c, budget: rate.NewLimiter(openerRate, openerBurst), strangers: make(map[netip.AddrPort]time.Time)}
}

// open sends an opener to each remote.
func (o *openers) open(remotes []netip.AddrPort, now time.Time) {
	if !limitsHops {
		return
	}
	for _, r := range o.admit(remotes, now) {
		if o.directs.out.sendLimited(o.directs.stray(r), o.datagram(), o.depth(r.Addr())) {
			o.count.Openers.Add(1)
		}
	}
}

// knock sends a knock to each remote.
func (o *openers) knock(remotes []netip.AddrPort, now time.Time) {
	for _, r := range o.admit(remotes, now) {
		b := new(wire.Batch)
		b.Append(o.datagram())
		if _, err := o.directs.out.send(o.directs.stray(r), b); err == nil {
			o.count.Knocks.Add(1)
		}
	}
}

// admit are the remotes to which something may leave, taken off the budget.
func (o *openers) admit(remotes []netip.AddrPort, now time.Time) (may []netip.AddrPort) {
	for _, r := range remotes {
		r = withNumber(r)
		if !mayOpen(r, o.directs.local.Addr()) || !o.budget.AllowN(now, costOf(r.Addr())) {
			o.count.NotOpened.Add(1)
			continue
		}
		o.note(r, now)
		may = append(may, r)
	}
	return may
}

// costOf is what an opener costs, bytes.
func costOf(to netip.Addr) int {
	if to.Is4() {
		return openerSize + 8 + 20
	}
	return openerSize + 8 + 40
}

// note remembers that something leaves for a remote, if there is room.
func (o *openers) note(to netip.AddrPort, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.strangers) == maxStrangers && now.Sub(o.swept) >= answerTime {
		o.swept = now
		for r, at := range o.strangers {
			if now.Sub(at) >= answerTime {
				delete(o.strangers, r)
			}
		}
	}
	if _, there := o.strangers[to]; there || len(o.strangers) < maxStrangers {
		o.strangers[to] = now
	}
}

// datagram draws 44 bytes in the form of a record, with an id that nobody has here.
func (o *openers) datagram() []byte {
	b := make([]byte, openerSize)
	for {
		_, _ = rand.Read(b) // never fails
		id := wire.MakeRecordID([wire.RecordIDSize]byte(b[1:]))
		if !o.known(id) {
			wire.PutCircuitHeader(b, id)
			return b
		}
	}
}

// answered takes an ICMP message, and reports whether what openers, knocks or a search
// have sent has caused it: then it says nothing about a path.
func (o *openers) answered(r report, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.of(r.remote.Addr()); r.exceeded && s.remote == r.remote && now.Sub(s.sentAt) < answerTime {
		s.exceeded(r.by)
		return true
	}
	at, ours := o.strangers[r.remote]
	return ours && now.Sub(at) < answerTime
}

// depth is the hop limit of openers to an address.
func (o *openers) depth(to netip.Addr) (hops int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	hops = o.of(to).depthSearch.depth
	switch {
	case hops == 0:
		return defaultDepth
	case !to.Is4():
		return max(hops, firewallDepth)
	}
	return hops
}

// of is the search in an address's family; o.mu is held.
func (o *openers) of(a netip.Addr) *search {
	if a.Is4() {
		return &o.depths[0]
	}
	return &o.depths[1]
}

// begin puts a new search in the place of the one of its family.
func (o *openers) begin(remote netip.AddrPort) (stop <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.of(remote.Addr())
	if s.stop != nil {
		close(s.stop)
	}
	*s = search{remote: remote, stop: make(chan struct{})}
	return s.stop
}

// step asks a search what is to be done: send a packet with a hop limit unless that
// is 0, and come back at a time unless that is zero.
func (o *openers) step(remote netip.AddrPort, stop <-chan struct{}, now time.Time) (hops int, next time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.of(remote.Addr())
	if s.stop != stop {
		return 0, time.Time{}
	}
	if hops = s.tick(now); s.depthSearch.depth != 0 {
		return 0, time.Time{}
	}
	return hops, s.deadline()
}

// search runs one until it has a result, another takes its place, or ending is closed.
func (o *openers) search(remote netip.AddrPort, stop, ending <-chan struct{}) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ending:
			return
		case <-stop:
			return
		case now := <-wait.C:
			hops, next := o.step(remote, stop, now)
			if next.IsZero() {
				return
			}
			if hops > 0 {
				o.directs.out.sendLimited(o.directs.stray(remote), o.datagram(), hops)
			}
			wait.Reset(time.Until(next))
		}
	}
}

// mayOpen reports whether a stranger may get something at an address that somebody
// else has told; own is where the socket is bound. Broadcasts of subnets are refused
// by the kernel (see setOptions).
func mayOpen(to netip.AddrPort, own netip.Addr) bool {
	ip := to.Addr()
	switch {
	case !ip.IsValid(), ip.IsUnspecified(), ip.IsMulticast(), to.Port() < 1024:
		return false
	case ip.IsLoopback():
		return own.IsLoopback()
	case ip.Is4():
		return ip.As4()[0] != 0 && ip.As4()[0] < 240
	}
	return !netaddr.IsVirtual(ip.WithZone(""))
}
