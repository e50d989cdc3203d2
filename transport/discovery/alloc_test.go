package discovery

import (
	"net"
	"net/netip"
	"testing"
)

// A flood must not grow the process by its garbage.
func TestWhatIsNotForUsCostsNoMemory(t *testing.T) {
	r := newRig(names(2, 21)...)
	m := r.meta()
	packets := map[string][]byte{"garbage": random(300), "a question for others": ask(name(77), name(78), at("fe80::2"), 4242),
		"60 identities": appendPacket(nil, question, salt{}, make([]entry, 60))}
	for what, b := range packets {
		if n := testing.AllocsPerRun(50, func() { r.hears(b, m) }); n > 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func TestReadingCostsNoMemory(t *testing.T) {
	for m, local := range map[Method]string{Multicast: "::1", Broadcast: "127.0.0.1"} {
		s, err := open(m, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		to := netip.AddrPortFrom(at(local), s.LocalAddr().(*net.UDPAddr).AddrPort().Port())
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		buf, sent := make([]byte, maxPacket), random(100)
		n := testing.AllocsPerRun(100, func() {
			if _, err := c.Write(sent); err != nil {
				t.Fatal(err)
			}
			n, got, err := s.read(buf)
			if err != nil || n != 100 || got.dst != at(local) || got.src.Addr() != at(local) || got.index == 0 || got.hops == 0 {
				t.Fatalf("%d bytes, %+v, %v", n, got, err)
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations", m, n)
		}
	}
}
