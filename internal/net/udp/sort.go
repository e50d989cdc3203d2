package udp

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A sorter shares out what one receive call brought: packets to QUIC, records to
// the Handler, in one call for each source. The reader alone uses it, and in the
// steady state it allocates nothing and looks up nothing for a packet that has
// the source and the record id of the one before it.
type sorter struct {
	sock   *Socket
	quic   []Packet
	groups []group // in order of their first record
	ids    lastID
	spot   spotter
	src    netip.AddrPort // the source of path
	path   *directPath
}

// A group is the records of one source.
type group struct {
	path *directPath
	recs [][]byte
}

// A lastID answers for the record id that was asked for last, during one receive.
type lastID struct {
	h     link.Handler
	id    wire.RecordID
	known bool
	valid bool
}

func (l *lastID) Known(id wire.RecordID) bool {
	if !l.valid || l.id != id {
		l.id, l.known, l.valid = id, l.h != nil && l.h.Known(id), true
	}
	return l.known
}

func newSorter(s *Socket) *sorter {
	return &sorter{sock: s, quic: make([]Packet, 0, readBatch*maxSegments), spot: spotter{all: &s.watches}}
}

// handle shares out what one receive call brought.
func (s *sorter) handle(pkts []Packet) {
	s.sort(pkts)
	if len(s.quic) > 0 {
		s.sock.quic(s.quic)
	}
	s.deliver()
}

// sort counts the packets and puts each where it belongs.
func (s *sorter) sort(pkts []Packet) {
	s.quic = s.quic[:0]
	s.ids = lastID{h: s.sock.Handler()}
	count := s.sock.o.Count
	count.Received.Add(uint64(len(pkts)))
	s.spot.begin()
	for i := range pkts {
		p := &pkts[i]
		if s.spot.watching() {
			s.spot.from(p.Src)
		}
		switch classify(p.Data, &s.ids) {
		case classQUIC:
			s.spot.heard()
			s.take(p)
		case classRecord:
			s.spot.heard()
			s.record(p)
		case classUnknown:
			count.Unknown.Add(1)
		default:
			count.Malformed.Add(1)
		}
	}
}

// take keeps a packet for QUIC.
func (s *sorter) take(p *Packet) {
	switch {
	case s.sock.quic == nil:
		s.sock.o.Count.NoPath.Add(1)
		return
	case netaddr.IsVirtual(p.Src.Addr()): // forged: it would pass for a circuit
		s.sock.o.Count.Malformed.Add(1)
		return
	}
	s.quic = append(s.quic, *p)
}

// record keeps a record for the path that it came on.
func (s *sorter) record(p *Packet) {
	if s.sock.o.NoDirect {
		s.sock.o.Count.NoPath.Add(1)
		return
	}
	if s.path == nil || s.src != p.Src {
		if netaddr.IsVirtual(p.Src.Addr()) { // forged: it would pass for a circuit
			s.sock.o.Count.Malformed.Add(1)
			return
		}
		s.src, s.path = p.Src, s.sock.directs.from(p.Src)
	}
	s.path.arrived(p.local, len(p.Data))
	g := s.group(s.path)
	g.recs = append(g.recs, p.Data)
}

// group is the group of a path. Groups keep the memory of earlier receives.
func (s *sorter) group(path *directPath) *group {
	for i := len(s.groups) - 1; i >= 0; i-- {
		if s.groups[i].path == path {
			return &s.groups[i]
		}
	}
	n := len(s.groups)
	if n < cap(s.groups) {
		s.groups = s.groups[:n+1]
	} else {
		s.groups = append(s.groups, group{})
	}
	s.groups[n].path = path
	return &s.groups[n]
}

// deliver hands the records over and forgets them.
func (s *sorter) deliver() {
	for i := range s.groups {
		g := &s.groups[i]
		s.ids.h.Records(g.path, g.recs)
		g.path, g.recs = nil, g.recs[:0]
	}
	s.groups = s.groups[:0]
}
