package names

import (
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// ttl is how long an answer counts, and that there is none, seconds.
	ttl = 10
	// plainSize and ownSize are the largest answers by UDP without EDNS, and what we
	// take, bytes (RFC 6891).
	plainSize, ownSize = 512, 1232
)

// Answer answers a query by the table. It returns nil for what is no query. An answer
// by UDP that is too large says so (TC) and has no records; limit by TCP is 65535.
func (t *Table) Answer(query []byte, udp bool) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	r := reply{h: dnsmessage.Header{ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired}}
	q, err := p.Question()
	switch {
	case h.OpCode != 0:
		r.h.RCode = dnsmessage.RCodeNotImplemented
		return r.pack(udp)
	case err != nil:
		r.h.RCode = dnsmessage.RCodeFormatError
		return r.pack(udp)
	}
	if _, err = p.Question(); err != dnsmessage.ErrSectionDone || !r.readEDNS(&p) {
		r.h.RCode = dnsmessage.RCodeFormatError
		return r.pack(udp)
	}
	r.q, r.asked = q, true
	if r.version != 0 {
		r.extended = 1 // BADVERS is 16: its upper bits are in OPT
		return r.pack(udp)
	}
	t.resolve(&r)
	return r.pack(udp)
}

// A reply is an answer in the making.
type reply struct {
	h        dnsmessage.Header
	q        dnsmessage.Question
	asked    bool // q counts
	records  []dnsmessage.ResourceBody
	soa      string // zone whose SOA says that there is nothing; empty: none does
	edns     bool
	version  byte
	extended byte // upper bits of the response code
	size     int  // that the asker takes
}

// readEDNS looks for OPT behind the question. It reports false for what is malformed.
func (r *reply) readEDNS(p *dnsmessage.Parser) bool {
	if p.SkipAllAnswers() != nil || p.SkipAllAuthorities() != nil {
		return false
	}
	for {
		h, err := p.AdditionalHeader()
		if err == dnsmessage.ErrSectionDone {
			return true
		}
		if err != nil || h.Type == dnsmessage.TypeOPT && r.edns {
			return false
		}
		if h.Type == dnsmessage.TypeOPT {
			r.edns, r.version, r.size = true, byte(h.TTL>>16), int(h.Class)
		}
		if p.SkipAdditional() != nil {
			return false
		}
	}
}

// resolve finds what a question asks for.
func (t *Table) resolve(r *reply) {
	name := strings.ToLower(strings.TrimSuffix(r.q.Name.String(), "."))
	if r.q.Class != dnsmessage.ClassINET && r.q.Class != dnsmessage.ClassANY {
		r.h.RCode = dnsmessage.RCodeRefused
		return
	}
	if name == Domain || strings.HasSuffix(name, "."+Domain) {
		t.resolveName(r, strings.TrimSuffix(strings.TrimSuffix(name, Domain), "."))
		return
	}
	if a, zone, ok := reversed(name); ok && t.covers(a) {
		t.resolveAddr(r, a, zone)
		return
	}
	r.h.RCode = dnsmessage.RCodeRefused
}

func (t *Table) resolveName(r *reply, name string) {
	r.h.Authoritative, r.soa = true, Domain
	addrs, exists := t.find(name)
	if !exists && name != "" {
		r.h.RCode = dnsmessage.RCodeNameError
		return
	}
	if name == "" && (r.q.Type == dnsmessage.TypeSOA || r.q.Type == dnsmessage.TypeALL) {
		r.add(soaOf(Domain))
	}
	for _, a := range addrs {
		switch {
		case a.Is4() && r.wants(dnsmessage.TypeA):
			r.add(&dnsmessage.AResource{A: a.As4()})
		case a.Is6() && r.wants(dnsmessage.TypeAAAA):
			r.add(&dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
}

func (t *Table) resolveAddr(r *reply, a netip.Addr, zone string) {
	r.h.Authoritative, r.soa = true, zone
	name, has := t.reverse(a)
	if !has {
		r.h.RCode = dnsmessage.RCodeNameError
		return
	}
	if to, err := dnsmessage.NewName(name + "." + Domain + "."); err == nil && r.wants(dnsmessage.TypePTR) {
		r.add(&dnsmessage.PTRResource{PTR: to})
	}
}

func (r *reply) wants(t dnsmessage.Type) bool {
	return r.q.Type == t || r.q.Type == dnsmessage.TypeALL
}

// add adds a record of the name that was asked for.
func (r *reply) add(b dnsmessage.ResourceBody) { r.records, r.soa = append(r.records, b), "" }

// soaOf is the SOA of a zone; its minimum is how long it counts that there is nothing.
func soaOf(zone string) *dnsmessage.SOAResource {
	return &dnsmessage.SOAResource{NS: dnsmessage.MustNewName(Domain + "."), MBox: dnsmessage.MustNewName("nobody." + Domain + "."),
		Serial: 1, Refresh: ttl, Retry: ttl, Expire: ttl, MinTTL: ttl}
}

// pack makes the message.
func (r *reply) pack(udp bool) []byte {
	limit := 65535
	if udp {
		limit = min(max(r.size, plainSize), ownSize)
	}
	b := r.build()
	if len(b) > limit {
		r.records, r.soa, r.h.Truncated = nil, "", true
		b = r.build()
	}
	return b
}

// build makes the message whatever its size. What is built is valid: names come from
// a message that was parsed, or are checked.
func (r *reply) build() []byte {
	m := dnsmessage.Message{Header: r.h}
	if r.asked {
		m.Questions = []dnsmessage.Question{r.q}
	}
	for _, b := range r.records {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: r.q.Name, Class: dnsmessage.ClassINET, TTL: ttl}, Body: b})
	}
	if r.soa != "" {
		zone := dnsmessage.MustNewName(r.soa + ".")
		m.Authorities = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: zone, Class: dnsmessage.ClassINET, TTL: ttl}, Body: soaOf(r.soa)}}
	}
	if r.edns {
		m.Additionals = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("."), Class: ownSize,
			TTL: uint32(r.extended) << 24}, Body: &dnsmessage.OPTResource{}}}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}
