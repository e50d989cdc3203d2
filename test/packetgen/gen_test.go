package packetgen

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/tun"
)

func gen() *Gen {
	return &Gen{Src4: netip.MustParseAddr("10.0.0.1"), Dst4: netip.MustParseAddr("10.0.0.2"), Src6: netip.MustParseAddr("fd00::1"), Dst6: netip.MustParseAddr("fd00::2")}
}

func choices(rng *rand.Rand, n int) *Source {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return New(b)
}

// Random choices reach every form, and each packet is valid.
func TestEveryFormIsMade(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]int)
	for range 20_000 {
		g := gen()
		p := g.Packet(choices(rng, 64))
		pkt, ok := ip.Read(p)
		if !ok || pkt.Source() != g.Src4 && pkt.Source() != g.Src6 {
			t.Fatalf("%x", p)
		}
		if h, ok := pkt.V4(); ok {
			seen["v4"]++
			if h.HeaderLen() > 20 {
				seen["v4 options"]++
			}
			if h.Fragment()&ip.FragmentMask != 0 {
				seen["v4 fragment"]++
			}
		} else if h, _ := pkt.V6(); h.NextHeader() == 43 || h.NextHeader() == 60 || h.NextHeader() == 0 {
			seen["v6 extension"]++
		} else if h.NextHeader() == 44 {
			seen["v6 fragment"]++
		}
		if l, ok := tun.Parse(p); ok {
			seen["simple"]++
			if h, ok := l.TCPHeader(p); ok && h.Flags()&ip.CWR != 0 {
				seen["CWR"]++
			}
			if !l.TCP && len(p) == l.Head {
				seen["empty UDP"]++
			}
		}
		g = gen()
		g.Simple = true
		if p := g.Packet(choices(rng, 64)); !simple(p) {
			t.Fatalf("not simple: %x", p)
		}
		f := gen().Frame(choices(rng, 64))
		if kind := wire.KindOf(f); len(f) == 0 || kind != wire.KindFrame {
			seen["broken frame"]++
			continue
		}
		seen[string('a'+rune(f[0]))]++
	}
	for _, form := range []string{"v4", "v4 options", "v4 fragment", "v6 extension", "v6 fragment", "simple", "CWR", "empty UDP"} {
		if seen[form] < 20 {
			t.Errorf("%s: %d times in 20,000", form, seen[form])
		}
	}
	for _, typ := range []byte{1, 2, 3, 4, 5, 6, 7, 0x10, 0x20, 0x21} {
		if seen[string('a'+rune(typ))] < 200 {
			t.Errorf("frame %#x: %d times", typ, seen[string('a'+rune(typ))])
		}
	}
}

func simple(p []byte) bool {
	_, ok := tun.Parse(p)
	return ok
}

// Packets of a flow continue one another, so that runs are made of them.
func TestFlowsContinue(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	continued := 0
	for range 1000 {
		g, s := gen(), choices(rng, 200)
		var next uint32
		for range 10 {
			p := g.flow(s)
			l, ok := tun.Parse(p)
			h, ok2 := l.TCPHeader(p)
			if !ok || !ok2 {
				t.Fatalf("%x", p)
			}
			if h.Seq() == next {
				continued++
			}
			next = h.Seq() + uint32(len(p)-l.Head)
		}
	}
	if continued < 5000 {
		t.Errorf("%d of 10,000 continue the one before", continued)
	}
}
