package transport

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A sorter shares out what one receive call brought: packets to QUIC, records to
// the Handler, in one call for each source. The reader alone uses it, and in the
// steady state it allocates nothing and looks up nothing for a packet that has
// the source and the record id of the one before it.
type sorter struct {
	t      *Transport
	quic   []packet
	groups []group // in order of their first record
	ids    lastID
	own    idCheck
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

func newSorter(t *Transport) *sorter {
	return &sorter{t: t, quic: make([]packet, 0, readBatch*maxSegments), own: idCheck{ids: t.admission.ids}}
}

// sort counts the packets and puts each where it belongs.
func (s *sorter) sort(pkts []packet) {
	s.quic = s.quic[:0]
	s.ids = lastID{h: s.t.handlerOrNil()}
	count := s.t.count
	count.received.Add(uint64(len(pkts)))
	for i := range pkts {
		p := &pkts[i]
		switch classify(p.data, &s.ids) {
		case classQUIC:
			s.take(p)
		case classRecord:
			s.record(p)
		case classUnknown:
			count.unknown.Add(1)
		default:
			count.malformed.Add(1)
		}
	}
}

// take keeps a packet for QUIC: with a short header, one for an id that is ours or
// what may be a stateless reset.
func (s *sorter) take(p *packet) {
	if !s.t.dialsQUIC() {
		s.t.count.noPath.Add(1)
		return
	}
	if !isLong(p.data) && len(p.data) != resetSize && !s.own.own(p.data[1:1+idLength]) {
		s.t.count.unknownConn.Add(1)
		return
	}
	if !s.t.admission.admits(p.data, p.src, s.namesOurs(p.data)) {
		return
	}
	s.t.initials.note(*p)
	s.t.amplification.heard(p.src, p.data)
	if s.t.admission.echoes(p.data) {
		p.data = append(append(make([]byte, 0, smallPacket), p.data...), make([]byte, smallPacket-len(p.data))...)
	}
	s.quic = append(s.quic, *p)
}

// namesOurs reports whether a long header is for an id of ours.
func (s *sorter) namesOurs(b []byte) bool {
	const at = 6 // behind the first byte, the version and the id's length
	return isLong(b) && len(b) >= at+idLength && b[at-1] == idLength && s.own.own(b[at:at+idLength])
}

// record keeps a record for the path that it came on.
func (s *sorter) record(p *packet) {
	if !s.t.carriers.Has(link.KindDirect) {
		s.t.count.noPath.Add(1)
		return
	}
	if s.path == nil || s.src != p.src {
		s.src, s.path = p.src, s.t.directs.from(p.src)
	}
	s.path.arrived(p.local, len(p.data))
	g := s.group(s.path)
	g.recs = append(g.recs, p.data)
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
