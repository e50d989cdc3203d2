package filter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// A model is a filter that is slow and plain: it has flows and fragments in maps, and
// rules as they were written.
type model struct {
	self    []netip.Addr
	behind  []netip.Prefix
	entries []Entry
	flows   map[string]int64
	frags   map[string]int64
}

type parsed struct {
	src, dst   netip.Addr
	proto      byte
	body       []byte
	fragmented bool
	later      bool
	id         uint32
}

// parse goes through headers one by one, by recursion.
func (m *model) parse(b []byte) *parsed {
	if len(b) >= 20 && b[0]>>4 == 4 {
		head := int(b[0]&15) * 4
		if head < 20 || head > len(b) {
			return nil
		}
		frag := int(b[6])<<8 | int(b[7])
		return &parsed{src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])), proto: b[9], body: b[head:],
			fragmented: frag&0x3fff != 0, later: frag&0x1fff != 0, id: uint32(b[4])<<8 | uint32(b[5])}
	}
	if len(b) >= 40 && b[0]>>4 == 6 {
		p := &parsed{src: netip.AddrFrom16([16]byte(b[8:24])), dst: netip.AddrFrom16([16]byte(b[24:40]))}
		if !m.walk(p, b[6], b[40:], 0) {
			return nil
		}
		return p
	}
	return nil
}

func (m *model) walk(p *parsed, next byte, b []byte, depth int) bool {
	if p.proto, p.body = next, b; p.later {
		return true
	}
	switch next {
	case 0, 43, 44, 51, 60:
	default:
		return true
	}
	if depth == 8 || len(b) < 8 {
		return false
	}
	size := 8 + 8*int(b[1])
	if next == 51 {
		size = 8 + 4*int(b[1])
	}
	if next == 44 {
		size = 8
		if b[2] != 0 || b[3]&^6 != 0 {
			p.fragmented, p.later = true, b[2] != 0 || b[3]&^7 != 0
			p.id = uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7])
		}
	}
	if next == 43 && b[2] == 0 || size > len(b) {
		return false
	}
	return m.walk(p, b[0], b[size:], depth+1)
}

func (m *model) isSelf(a netip.Addr) bool {
	for _, s := range m.self {
		if s == a {
			return true
		}
	}
	return false
}

// granted reports whether an entry is about a destination, and lets this pass.
func (m *model) granted(dst netip.Addr, proto byte, port int) (about, yes bool) {
	self, longest := m.isSelf(dst), -1
	for _, e := range m.entries {
		if e.To == Route && e.Prefix.Contains(dst) && !self {
			longest = max(longest, e.Prefix.Bits())
		}
	}
	for _, e := range m.entries {
		switch {
		case self && e.To == Self, !self && e.To == Route && e.Prefix.Bits() == longest && e.Prefix.Contains(dst), !self && longest < 0 && e.To == Exit:
		default:
			continue
		}
		about = true
		t := e.Traffic
		switch {
		case t.Any, t.Protocol == proto && (proto != 6 && proto != 17 || int(t.First) <= port && port <= int(t.Last)), t.Protocol == 1 && proto == 58:
			yes = true
		}
	}
	for _, p := range m.behind {
		about = about || p.Contains(dst)
	}
	return about || self, yes
}

func flowKey(a netip.Addr, ap int, b netip.Addr, bp int) string { return fmt.Sprint(a, ap, b, bp) }

func (m *model) sent(b []byte, now int64) {
	if p := m.parse(b); p != nil && p.proto == 17 && !p.later && len(p.body) >= 4 {
		m.flows[flowKey(p.src, port(p.body, 0), p.dst, port(p.body, 2))] = now
	}
}

func port(b []byte, at int) int { return int(b[at])<<8 | int(b[at+1]) }

func (m *model) answers(us netip.Addr, ours int, them netip.Addr, theirs int, now int64) bool {
	at, ok := m.flows[flowKey(us, ours, them, theirs)]
	return ok && now-at <= FlowLife
}

func (m *model) passes(b []byte, now int64) bool {
	p := m.parse(b)
	if p == nil {
		return false
	}
	if about, _ := m.granted(p.dst, 0, 0); !about {
		return false
	}
	key := fmt.Sprint(p.src, p.dst, p.proto, p.id)
	if p.later {
		at, ok := m.frags[key]
		return ok && now-at <= FragmentLife
	}
	ok := m.head(p, now)
	if ok && p.fragmented {
		m.frags[key] = now
	}
	return ok
}

func (m *model) head(p *parsed, now int64) bool {
	any := func(port int) bool { _, yes := m.granted(p.dst, p.proto, port); return yes }
	four := p.dst.Is4()
	switch {
	case p.proto == 6:
		if len(p.body) < 20 {
			return false
		}
		fin, syn, rst, ack := p.body[13]&1 != 0, p.body[13]&2 != 0, p.body[13]&4 != 0, p.body[13]&16 != 0
		if !syn && !rst && !ack || syn && fin || syn && rst {
			return false
		}
		return !syn || ack || any(port(p.body, 2))
	case p.proto == 17:
		return len(p.body) >= 8 && (any(port(p.body, 2)) || m.answers(p.dst, port(p.body, 2), p.src, port(p.body, 0), now))
	case p.proto == 1 && !four, p.proto == 58 && four:
		return false
	case p.proto == 1 || p.proto == 58:
		return m.icmp(p, any(0), now)
	}
	return any(0)
}

func (m *model) icmp(p *parsed, granted bool, now int64) bool {
	if len(p.body) < 8 {
		return false
	}
	kinds := map[byte]string{0: "echo", 8: "echo", 3: "error", 11: "error", 12: "error", 4: "link", 5: "link", 9: "link", 10: "link"}
	if p.proto == 58 {
		kinds = map[byte]string{128: "echo", 129: "echo", 1: "error", 2: "error", 3: "error", 4: "error", 130: "link", 131: "link", 132: "link",
			133: "link", 134: "link", 135: "link", 136: "link", 137: "link", 143: "link"}
	}
	switch kinds[p.body[0]] {
	case "link":
		return false
	case "echo":
		return m.isSelf(p.dst) || granted
	case "error":
		q := m.parse(p.body[8:])
		switch {
		case q == nil || q.src != p.dst:
			return false
		case q.later || q.proto == 6:
			return true
		case q.proto == 17:
			return len(q.body) >= 4 && m.answers(q.src, port(q.body, 0), q.dst, port(q.body, 2), now)
		case q.proto == 1:
			return len(q.body) >= 8 && (q.body[0] == 0 || q.body[0] == 8)
		case q.proto == 58:
			return len(q.body) >= 8 && (q.body[0] == 128 || q.body[0] == 129)
		}
		return false
	}
	return granted
}

// pair is a filter and its model.
func pair(t testing.TB) (*Filter, *Rules, *model) {
	r := rules(t)
	return filterOf(), r, &model{self: []netip.Addr{here4, here6}, behind: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("192.168.2.0/24")},
		entries: r.entries, flows: map[string]int64{}, frags: map[string]int64{}}
}

// random is a packet that is often one that matters.
func random(rnd *rand.Rand) spec {
	pick := func(all ...netip.Addr) netip.Addr { return all[rnd.IntN(len(all))] }
	s := spec{src: there4, dst: pick(here4, here4, behind4, granted4, far4), id: uint16(rnd.IntN(4))}
	if rnd.IntN(2) == 0 {
		s.src, s.dst = there6, here6
		for range rnd.IntN(10) * rnd.IntN(2) {
			s.extensions = append(s.extensions, []byte{hopByHop, routing, auth, destination}[rnd.IntN(4)])
		}
	}
	ports := []uint16{22, 53, 5000, 6000, 6010, 6011}
	a, b := ports[rnd.IntN(len(ports))], ports[rnd.IntN(len(ports))]
	switch rnd.IntN(6) {
	case 0, 1:
		s.protocol, s.body = 6, tcpBody(a, b, byte(rnd.IntN(64)))
	case 2, 3:
		s.protocol, s.body = 17, udpBody(a, b)
	case 4:
		quoted := spec{src: s.dst, dst: s.src, protocol: []byte{1, 6, 17, 58}[rnd.IntN(4)], body: udpBody(a, b)}
		if rnd.IntN(4) == 0 {
			quoted.src = s.src
		}
		s.protocol, s.body = []byte{1, 58}[rnd.IntN(2)], icmpBody([]byte{0, 1, 2, 3, 4, 5, 8, 11, 12, 13, 128, 129, 133, 137, 143}[rnd.IntN(15)], quoted.bytes()[:20+rnd.IntN(13)])
	default:
		s.protocol, s.body = byte(rnd.IntN(256)), make([]byte, rnd.IntN(40))
	}
	if rnd.IntN(4) == 0 {
		s.fragment = []uint16{0x2000, 0x2005, 0x0005, 1, 8, 9, 2}[rnd.IntN(7)]
	}
	if rnd.IntN(8) == 0 {
		s.body = s.body[:rnd.IntN(len(s.body)+1)]
	}
	return s
}

func TestAgainstTheModel(t *testing.T) {
	f, r, m := pair(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	passed := 0
	for i := range 300_000 {
		now := int64(i / 1000)
		s := random(rnd)
		if rnd.IntN(4) == 0 {
			s.src, s.dst = s.dst, s.src
			p := s.packet(t)
			f.Sent(p, now)
			m.sent(p.Bytes(), now)
			continue
		}
		p := s.packet(t)
		got, want := f.Judge(r, p, now), m.passes(p.Bytes(), now)
		if (got == Pass) != want {
			t.Fatalf("packet %d, %+v: %v, the model says %v", i, s, got, want)
		}
		if want {
			passed++
		}
	}
	t.Logf("%d passed", passed)
	if passed < 10_000 {
		t.Errorf("only %d packets pass", passed)
	}
}

func FuzzFilter(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 64 {
		f.Add(random(rnd).bytes(), random(rnd).bytes())
	}
	f.Fuzz(func(t *testing.T, sent, came []byte) {
		x, r, m := pair(t)
		if p, ok := ip.Read(sent); ok {
			x.Sent(p, 1)
			m.sent(sent, 1)
		}
		if p, ok := ip.Read(came); ok {
			if got, want := x.Judge(r, p, 2), m.passes(came, 2); (got == Pass) != want {
				t.Fatalf("%x: %v, the model says %v", came, got, want)
			}
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	f, r, _ := pair(t)
	packets := []ip.Packet{
		spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN)}.packet(t),
		spec{src: there6, dst: here6, protocol: 17, body: udpBody(53, 5000), extensions: []byte{destination}}.packet(t),
		spec{src: there4, dst: granted4, protocol: 17, body: udpBody(53, 5000), fragment: 0x2000}.packet(t),
		spec{src: there4, dst: here4, protocol: 1, body: icmpBody(3, spec{src: here4, dst: there4, protocol: 17, body: udpBody(1, 2)}.bytes())}.packet(t),
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range packets {
			f.Judge(r, p, 5)
			f.Sent(p, 5)
		}
	}); n > 0 {
		t.Errorf("%.1f allocations for four packets", n)
	}
}

func BenchmarkJudge(b *testing.B) {
	f, r, _ := pair(b)
	for name, s := range map[string]spec{
		"tcp": {src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 5000, ip.ACK)},
		"udp": {src: there4, dst: here4, protocol: 17, body: udpBody(53, 5000)},
	} {
		b.Run(name, func(b *testing.B) {
			p := s.packet(b)
			f.Sent(spec{src: here4, dst: there4, protocol: 17, body: udpBody(5000, 53)}.packet(b), 1)
			b.ReportAllocs()
			for b.Loop() {
				if f.Judge(r, p, 1) != Pass {
					b.Fatal("dropped")
				}
			}
		})
	}
}
