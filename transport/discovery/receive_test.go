package discovery

import (
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A pipe is a socket that keeps what is sent.
type pipe struct{ sent []sent }

type sent struct {
	data []byte
	via  segment
	to   netip.AddrPort
}

func (w *pipe) read([]byte) (int, meta, error) { return 0, meta{}, net.ErrClosed }
func (w *pipe) join(int) error                 { return nil }
func (w *pipe) LocalAddr() net.Addr            { return &net.UDPAddr{} }
func (w *pipe) Close() error                   { return nil }
func (w *pipe) write(b []byte, via segment, to netip.AddrPort) error {
	w.sent = append(w.sent, sent{b, via, to})
	return nil
}

// A rig is node 1 with one IPv6 segment, and what it finds and sends.
type rig struct {
	*Discovery
	f     *family
	talk  *pipe
	found []Found
	now   time.Time
}

// newRig makes node 1 with peers. Its interface 3 has fe80::1.
func newRig(peers ...did.DID) *rig {
	r := &rig{talk: new(pipe), now: noon}
	r.Discovery = &Discovery{gate: newGate(), log: slog.New(slog.DiscardHandler), c: Config{
		Self: name(1), Listen: netip.MustParseAddrPort("[::]:4242"), Found: func(f Found) { r.found = append(r.found, f) }}}
	r.book.Store(newBook(name(1), peers))
	r.f = &family{method: Multicast, hear: new(pipe), talk: r.talk, port: 999}
	r.f.use([]Interface{iface(3, "fe80::1/64")}, r.log)
	r.families = []*family{r.f}
	return r
}

// question is one to everybody from fe80::2 on the right interface.
func (r *rig) meta() meta {
	return meta{src: netip.MustParseAddrPort("[fe80::2]:777"), dst: Group(), index: 3, hops: 255}
}

func (r *rig) hears(b []byte, m meta) { r.heard(r.f, b, m, r.now) }

// SPEC R-3.9-1.
func TestQuestionOfAPeerIsAnsweredAndTellsWhereItIs(t *testing.T) {
	r := newRig(names(2, 9)...)
	q := ask(name(5), name(1), at("fe80::2"), 4300)
	r.hears(q, r.meta())
	if len(r.found) != 1 || r.found[0] != (Found{name(5), netip.MustParseAddrPort("[fe80::2%3]:4300")}) {
		t.Fatalf("%v", r.found)
	}
	if len(r.talk.sent) != 1 || len(r.talk.sent[0].data) > len(q) {
		t.Fatalf("%v", r.talk.sent)
	}
	s := r.talk.sent[0]
	if s.to != r.meta().src || s.via.source != at("fe80::1") || s.via.index != 3 {
		t.Errorf("answered to %v by %v", s.to, s.via)
	}
	peer, port, ok := newBook(name(5), names(1, 1)).sender(mustParse(t, s.data), at("fe80::1"))
	if !ok || peer != name(1) || port != 4242 {
		t.Errorf("the answer says %v at %d", peer, port)
	}
}

// SPEC R-3.9-5.
func TestAnswerTellsWhereThePeerIsAndIsNotAnswered(t *testing.T) {
	r := newRig(name(5))
	a := newBook(name(5), names(1, 1)).answer(at("fe80::2"), 4300, name(1))
	m := r.meta()
	m.dst = at("fe80::1")
	r.told(r.f, a, m, r.now)
	if len(r.found) != 1 || len(r.talk.sent) != 0 {
		t.Errorf("found %v, sent %v", r.found, r.talk.sent)
	}
}

// What is not from a neighbour, by this way, of this kind, in the right place, is
// not even looked at.
func TestOthersAreNotHeard(t *testing.T) {
	r := newRig(name(5))
	q := ask(name(5), name(1), at("fe80::2"), 4300)
	global := ask(name(5), name(1), at("2001:db8::2"), 4300)
	a := newBook(name(5), names(1, 1)).answer(at("fe80::2"), 4300, name(1))
	for what, c := range map[string]struct {
		data   []byte
		change func(*meta)
	}{
		"through a router":      {q, func(m *meta) { m.hops = 254 }},
		"off the link":          {global, func(m *meta) { m.src = netip.MustParseAddrPort("[2001:db8::2]:777") }},
		"another interface":     {q, func(m *meta) { m.index = 4 }},
		"to us alone":           {q, func(m *meta) { m.dst = at("fe80::1") }},
		"another group":         {q, func(m *meta) { m.dst = at("ff02::1") }},
		"an answer to all":      {a, func(*meta) {}},
		"from a copied address": {q, func(m *meta) { m.src = netip.MustParseAddrPort("[fe80::3]:777") }},
		"no control message":    {q, func(m *meta) { *m = meta{src: m.src} }},
	} {
		m := r.meta()
		c.change(&m)
		r.hears(c.data, m)
		if len(r.found)+len(r.talk.sent) > 0 {
			t.Errorf("%s: found %v, sent %v", what, r.found, r.talk.sent)
		}
	}
	for what, c := range map[string]struct {
		data []byte
		dst  netip.Addr
	}{"an answer to another address": {a, at("fe80::9")}, "an answer to the group": {a, Group()}, "a question to us alone": {q, at("fe80::1")}} {
		m := r.meta()
		m.dst = c.dst
		r.told(r.f, c.data, m, r.now)
		if len(r.found)+len(r.talk.sent) > 0 {
			t.Errorf("%s: found %v, sent %v", what, r.found, r.talk.sent)
		}
	}
	faults.Report(t, "D3", true, "other destinations, hop limits and sources: not heard")
}

func TestOwnQuestionsComeBackToNoEffect(t *testing.T) {
	r := newRig(name(5))
	r.ask([]int32{0}, nil)
	own := r.meta()
	own.src = netip.MustParseAddrPort("[fe80::1]:999")
	if _, near := r.f.segmentOf(own); near {
		t.Error("taken for a neighbour's")
	}
	own.src = netip.MustParseAddrPort("[fe80::1]:998") // another node of this host
	if _, near := r.f.segmentOf(own); !near {
		t.Error("another node of this host is not heard")
	}
	r.hears(r.talk.sent[0].data, own)
	if len(r.found) > 0 {
		t.Errorf("found itself: %v", r.found)
	}
	faults.Report(t, "D6", true, "own questions: no effect")
}

// Repeating it at will gets one handshake attempt to where the peer was, and an
// answer a second.
func TestReplaysAreAnsweredRarely(t *testing.T) {
	r := newRig(name(5))
	q := ask(name(5), name(1), at("fe80::2"), 4300)
	for range 10_000 {
		r.hears(q, r.meta())
	}
	for _, f := range r.found {
		if f.Endpoint != netip.MustParseAddrPort("[fe80::2%3]:4300") {
			t.Fatalf("found %v", f)
		}
	}
	if len(r.talk.sent) > answerBurst {
		t.Errorf("%d answers", len(r.talk.sent))
	}
	// An old one is worth as much: what it names is still a guess to be proven. From
	// another address it is worth nothing.
	r.found, r.now = nil, r.now.Add(61*time.Second)
	elsewhere := r.meta()
	elsewhere.src = netip.MustParseAddrPort("[fe80::3]:777")
	before := len(r.talk.sent)
	for range 1000 {
		r.hears(q, elsewhere)
	}
	if len(r.found) > 0 || len(r.talk.sent) > before {
		t.Errorf("replayed from another address: found %v, %d answers", r.found, len(r.talk.sent)-before)
	}
	for range 1000 {
		r.hears(q, r.meta())
	}
	for _, f := range r.found {
		if f.Endpoint != netip.MustParseAddrPort("[fe80::2%3]:4300") {
			t.Fatalf("found %v", f)
		}
	}
	late := len(r.talk.sent) - before
	if late > answerBurst {
		t.Errorf("%d answers", late)
	}
	faults.Report(t, "D6", true, "a question replayed 10,000 times at once, and 1,000 times 61 s later: the one address that it was made for is named, %d and %d answers; from another address nothing", before, late)
}

func TestGarbageOfEveryLengthChangesNothing(t *testing.T) {
	r := newRig(names(2, 9)...)
	for n := range 1501 {
		for _, begin := range []string{"", magic, magic + "\x01\x01\x01\x00", magic + "\x01\x02\x3c\x00"} {
			b := random(n)
			copy(b, begin)
			r.hears(b, r.meta())
			r.told(r.f, b, meta{src: r.meta().src, dst: at("fe80::1"), index: 3, hops: 255}, r.now)
		}
		r.now = r.now.Add(time.Second)
	}
	if len(r.found)+len(r.talk.sent) > 0 {
		t.Errorf("found %v, sent %d", r.found, len(r.talk.sent))
	}
	faults.Report(t, "D6", true, "every length: nothing changes")
}

// A hundred thousand identities announce themselves, each from an address of its
// own, and all of them name us.
func TestAnnouncedIdentitiesAreNotKept(t *testing.T) {
	r := newRig(names(2, 21)...)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	const identities = 100_000
	for i := range identities {
		source := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 12: 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)})
		m := r.meta()
		m.src = netip.AddrPortFrom(source, 777)
		r.hears(ask(name(1000+i), name(1), source, 4242), m)
		r.now = r.now.Add(time.Millisecond) // slow enough for each to be tried
	}
	grown := int64(heap()) - int64(before)
	t.Logf("%d identities: the heap grew by %d bytes", identities, grown)
	if grown > 1<<20 || len(r.found)+len(r.talk.sent) > 0 {
		t.Errorf("grown by %d, found %d, sent %d", grown, len(r.found), len(r.talk.sent))
	}
	runtime.KeepAlive(r)
}

// The peers of the book all announce themselves from many addresses.
func TestManyEndpointsOfPeersAreBounded(t *testing.T) {
	var table Table
	r := newRig(names(2, 101)...)
	r.c.Found = func(f Found) { table.Add(f, r.now) }
	for i := range 10_000 {
		source := netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 14: byte(i >> 8), 15: byte(i)})
		m := r.meta()
		m.src = netip.AddrPortFrom(source, 777)
		r.hears(ask(name(2+i%100), name(1), source, 4242), m)
		r.now = r.now.Add(time.Millisecond)
	}
	for i := range 100 {
		if n := len(table.Endpoints(name(2+i), r.now)); n != maxEndpoints {
			t.Errorf("peer %d has %d endpoints", i, n)
		}
	}
}

func TestWhereWeDoNotListenNoPortIsTold(t *testing.T) {
	for listen, want := range map[string]map[string]uint16{
		"[::]:4242":       {"fe80::1": 4242, "192.0.2.1": 4242},
		"0.0.0.0:4242":    {"fe80::1": 0, "192.0.2.1": 4242},
		"192.0.2.1:4242":  {"fe80::1": 0, "192.0.2.1": 4242, "192.0.2.2": 0},
		"[fe80::1]:4242":  {"fe80::1": 4242, "192.0.2.1": 0},
		"127.0.0.1:4242":  {"fe80::1": 0, "192.0.2.1": 0},
		"[2001:db8::]:99": {"fe80::1": 0},
	} {
		d := &Discovery{c: Config{Listen: netip.MustParseAddrPort(listen)}}
		for source, port := range want {
			if got := d.portAt(at(source)); got != port {
				t.Errorf("listening at %s, from %s: %d", listen, source, got)
			}
		}
	}
	r := newRig(name(5)) // who has no port for us is answered, and not reported
	r.hears(ask(name(5), name(1), at("fe80::2"), 0), r.meta())
	if len(r.found) != 0 || len(r.talk.sent) != 1 {
		t.Errorf("found %v, sent %v", r.found, r.talk.sent)
	}
	r = newRig(name(5)) // and we, if we have none, find without answering
	r.c.Listen = netip.MustParseAddrPort("127.0.0.1:4242")
	r.hears(ask(name(5), name(1), at("fe80::2"), 4300), r.meta())
	if len(r.found) != 1 || len(r.talk.sent) != 0 {
		t.Errorf("found %v, sent %v", r.found, r.talk.sent)
	}
}

// A defect that a packet meets costs this packet only.
func TestDefectInAPacket(t *testing.T) {
	r := newRig()
	packets := make(chan []byte, 2)
	packets <- []byte("one")
	packets <- []byte("two")
	close(packets)
	var got []string
	r.read(t.Context(), r.f, feed{r.talk, packets}, func(_ *family, b []byte, _ meta, _ time.Time) {
		if got = append(got, string(b)); len(got) == 1 {
			panic("discovery: internal error: a test")
		}
	})
	if len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// A feed is a socket that gives packets until there are no more.
type feed struct {
	*pipe
	packets chan []byte
}

func (f feed) read(b []byte) (int, meta, error) {
	p, ok := <-f.packets
	if !ok {
		return 0, meta{}, net.ErrClosed
	}
	return copy(b, p), meta{}, nil
}
