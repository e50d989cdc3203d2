package filter

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

// randomRules are of few destinations, which lie in each other, and few ports.
func randomRules(t *testing.T, rnd *rand.Rand) *Rules {
	t.Helper()
	prefixes := []string{"192.168.0.0/16", "192.168.1.0/24", "192.168.1.4/30", "192.168.2.0/24"}
	kinds := []string{"tcp:20-30", "tcp:22", "tcp:25-60", "udp:20-30", "icmp", "proto:47", "*"}
	var all []Entry
	for range 1 + rnd.IntN(6) {
		e := Entry{To: Class(rnd.IntN(3)), Traffic: traffic(t, kinds[rnd.IntN(len(kinds))]), By: "a line"}
		if e.To == Route {
			e.Prefix = netip.MustParsePrefix(prefixes[rnd.IntN(len(prefixes))])
		}
		all = append(all, e)
	}
	r, err := Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What passes narrowed rules is what passes both, for every destination and port; and so
// it is with the line that says so.
func TestNarrowedRulesPassWhatBothPass(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	f := New([]netip.Addr{here4}, nil)
	var passed, dropped int
	for range 2000 {
		a, b := randomRules(t, rnd), randomRules(t, rnd)
		n := a.Narrow(b)
		for _, dst := range []netip.Addr{here4, netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("192.168.1.9"), granted4, netip.MustParseAddr("192.168.3.1"), far4} {
			port := uint16(18 + rnd.IntN(50))
			for _, s := range []spec{{protocol: 6, body: tcpBody(1, port, ip.SYN)}, {protocol: 6, body: tcpBody(1, port, ip.ACK)}, {protocol: 17, body: udpBody(1, port)},
				{protocol: 47}, {protocol: 50}, {protocol: 1, body: icmpBody(13, nil)}} {
				s.src, s.dst = there4, dst
				p := s.packet(t)
				both := f.Judge(a, p, 1) == Pass && f.Judge(b, p, 1) == Pass
				if got := f.Judge(n, p, 1) == Pass; got != both {
					t.Fatalf("%+v: passes %v, both pass %v; rules %+v and %+v", s, got, both, a.entries, b.entries)
				}
				if both {
					passed++
				} else {
					dropped++
				}
				self := dst == here4
				if got, want := n.By(self, dst, s.protocol, port) != "", a.By(self, dst, s.protocol, port) != "" && b.By(self, dst, s.protocol, port) != ""; got != want {
					t.Fatalf("%+v: a line %v, want %v", s, got, want)
				}
			}
		}
	}
	if passed < 1000 || dropped < 1000 {
		t.Errorf("%d passed, %d dropped: the test shows little", passed, dropped)
	}
	r := randomRules(t, rnd)
	if r.Narrow(nil) != r || (*Rules)(nil).Narrow(r) != r {
		t.Error("everything narrows nothing")
	}
}
