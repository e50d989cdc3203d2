package router

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

// Options is what a router speaks and how it lies.
type Options struct {
	PCP, NATPMP, UPnP bool
	External          netip.Addr

	Lease     uint32   // seconds at most; 0: what is asked for
	TakenPort []uint16 // external ports of other hosts
	OnlyPort  uint16   // the only external port that is given; 0: any
	Refuse    uint16   // a result of PCP and NAT-PMP other than 0
	Permanent bool     // UPnP without leases: error 725

	// Answer makes of an answer of PCP or NAT-PMP what is sent; nil: itself.
	Answer func([]byte) [][]byte
	// Changed is told the table when it has changed, before that is answered; nil: nobody.
	Changed func([]Mapping)
	// Foreign sends answers of PCP, NAT-PMP and SSDP from this address.
	Foreign netip.Addr
	// Delay comes before each answer of a socket.
	Delay time.Duration

	Location    string // in the answer to a search; empty: where the description is
	Description string // instead of the right one; %s is the address of the HTTP server
	Endless     bool   // descriptions have no end
	Redirect    string // where every request by HTTP is sent
}

// A Mapping is an entry of the router's table.
type Mapping struct {
	Protocol string // "pcp", "nat-pmp", "upnp"
	Client   netip.AddrPort
	External uint16
	Nonce    [12]byte
	Lifetime uint32
	Expires  time.Time
}

// A Router is one router. It is safe for concurrent use.
type Router struct {
	mu     sync.Mutex
	o      Options
	booted time.Time
	table  map[uint16]Mapping // by external port
	asked  map[string]int     // requests, by kind

	servers servers
}

// New makes a router that was started at a time.
func New(o Options, now time.Time) *Router {
	return &Router{o: o, booted: now, table: make(map[uint16]Mapping), asked: make(map[string]int)}
}

// Change changes how the router behaves from now on.
func (r *Router) Change(f func(*Options)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.o)
}

// Restart forgets all mappings.
func (r *Router) Restart(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.table)
	r.booted = now
}

// Mappings are those that have not expired.
func (r *Router) Mappings(now time.Time) (all []Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mappings(now)
}

func (r *Router) mappings(now time.Time) (all []Mapping) {
	for _, m := range r.table {
		if m.Expires.After(now) {
			all = append(all, m)
		}
	}
	return all
}

// changed says that the table is another one.
func (r *Router) changed(now time.Time) {
	if r.o.Changed != nil {
		r.o.Changed(r.mappings(now))
	}
}

// Asked is how many requests of a kind have come: "announce", "map", "unmap" and
// "address" of PCP and NAT-PMP, "search", "http", "add" and "delete" of UPnP.
func (r *Router) Asked(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[kind]
}

// Datagram answers a packet of PCP or NAT-PMP.
func (r *Router) Datagram(b []byte, from netip.AddrPort, now time.Time) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var answer []byte
	switch {
	case len(b) >= 2 && b[0] == 2 && r.o.PCP:
		answer = r.pcp(b, from, now)
	case len(b) >= 2 && b[0] == 0 && r.o.NATPMP:
		answer = r.pmp(b, from, now)
	case len(b) >= 2 && r.o.NATPMP: // RFC 6886 3.5
		answer = r.clock([]byte{0, 128, 0, 1}, now)
	case len(b) >= 2 && r.o.PCP: // RFC 6887 9
		answer = append(r.clock([]byte{2, b[1] | 128, 0, 1, 0, 0, 0, 0}, now), make([]byte, 12)...)
	}
	switch {
	case answer == nil:
		return nil
	case r.o.Answer != nil:
		return r.o.Answer(answer)
	}
	return [][]byte{answer}
}

// clock appends the seconds since the start.
func (r *Router) clock(b []byte, now time.Time) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(now.Sub(r.booted)/time.Second))
}

// pcp answers ANNOUNCE and MAP. RFC 6887 7.2, 11.3, 14.1.
func (r *Router) pcp(b []byte, from netip.AddrPort, now time.Time) []byte {
	result, lifetime := byte(r.o.Refuse), uint32(0)
	body := []byte(nil)
	switch {
	case len(b) == 24 && b[1] == 0:
		r.asked["announce"]++
	case len(b) == 60 && b[1] == 1 && b[36] == 17:
		body = append(body, b[24:]...)
		m := Mapping{Protocol: "pcp", Client: netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), be16(b[40:])),
			External: be16(b[42:]), Nonce: [12]byte(b[24:36]), Lifetime: be32(b[4:])}
		if m.Client.Addr() != from.Addr() {
			result = 12 // ADDRESS_MISMATCH
		}
		if result == 0 {
			result = r.enter(&m, now)
		}
		lifetime = m.Lifetime
		if result == 0 && lifetime != 0 {
			external := r.o.External.As16()
			copy(body[18:], binary.BigEndian.AppendUint16(nil, m.External))
			copy(body[20:], external[:])
		}
	default:
		result = 3 // MALFORMED_REQUEST
	}
	head := binary.BigEndian.AppendUint32([]byte{2, b[1] | 128, 0, result}, lifetime)
	return append(append(r.clock(head, now), make([]byte, 12)...), body...)
}

// pmp answers for the address and for mappings of UDP. RFC 6886 3.2, 3.3.
func (r *Router) pmp(b []byte, from netip.AddrPort, now time.Time) []byte {
	head := r.clock(binary.BigEndian.AppendUint16([]byte{0, b[1] | 128}, r.o.Refuse), now)
	switch {
	case len(b) == 2 && b[1] == 0:
		r.asked["address"]++
		external := r.o.External.As4()
		return append(head, external[:]...)
	case len(b) == 12 && b[1] == 1:
		m := Mapping{Protocol: "nat-pmp", Client: netip.AddrPortFrom(from.Addr(), be16(b[4:])), External: be16(b[6:]), Lifetime: be32(b[8:])}
		if r.o.Refuse == 0 {
			r.enter(&m, now)
		}
		head = binary.BigEndian.AppendUint16(head, m.Client.Port())
		head = binary.BigEndian.AppendUint16(head, m.External)
		return binary.BigEndian.AppendUint32(head, m.Lifetime)
	}
	return nil
}

// enter makes, renews or deletes a mapping of PCP or NAT-PMP, and completes it. The
// result is one of PCP: another's nonce permits nothing.
func (r *Router) enter(m *Mapping, now time.Time) (result byte) {
	r.asked[map[bool]string{true: "map", false: "unmap"}[m.Lifetime != 0]]++
	for port, old := range r.table {
		if old.Client != m.Client || old.Protocol != m.Protocol || !old.Expires.After(now) {
			continue
		}
		if old.Nonce != m.Nonce {
			return 2 // NOT_AUTHORIZED
		}
		if delete(r.table, port); m.Lifetime != 0 {
			m.External = port
		}
	}
	if m.Lifetime == 0 {
		r.changed(now)
		return 0
	}
	for m.External = r.given(m.External); r.taken(m.External, now); m.External++ {
	}
	r.put(m, now)
	return 0
}

func (r *Router) given(asked uint16) uint16 {
	if r.o.OnlyPort != 0 {
		return r.o.OnlyPort
	}
	return asked
}

func (r *Router) taken(port uint16, now time.Time) bool {
	for _, p := range r.o.TakenPort {
		if p == port {
			return true
		}
	}
	m, there := r.table[port]
	return there && m.Expires.After(now)
}

func (r *Router) put(m *Mapping, now time.Time) {
	if r.o.Lease != 0 {
		m.Lifetime = min(m.Lifetime, r.o.Lease)
	}
	m.Expires = now.Add(time.Duration(m.Lifetime) * time.Second)
	r.table[m.External] = *m
	r.changed(now)
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
