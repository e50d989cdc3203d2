package filter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/packet/ip"
)

func TestCraftedPackets(t *testing.T) {
	quotedUDP := spec{src: here4, dst: there4, protocol: ip.ProtoUDP, body: udpBody(5000, 53)}.bytes()
	quotedOthers := spec{src: here4, dst: there4, protocol: ip.ProtoUDP, body: udpBody(5001, 53)}.bytes()
	for name, c := range map[string]struct {
		spec spec
		want Verdict
	}{
		"SYN to a granted port":           {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN)}, Pass},
		"the same, IPv6":                  {spec{src: there6, dst: here6, protocol: 6, body: tcpBody(40000, 22, ip.SYN)}, Pass},
		"SYN with data (TFO)":             {spec{src: there4, dst: here4, protocol: 6, body: append(tcpBody(40000, 22, ip.SYN), "hello"...)}, Pass},
		"SYN with ECN":                    {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN|ip.CWR)}, Pass},
		"SYN to another port":             {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 23, ip.SYN)}, NotGranted},
		"SYN of a simultaneous open":      {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(22, 40000, ip.SYN)}, NotGranted},
		"SYN and ACK, an answer":          {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(80, 40000, ip.SYN|ip.ACK)}, Pass},
		"ACK":                             {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(80, 40000, ip.ACK)}, Pass},
		"FIN and ACK":                     {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(80, 40000, ip.FIN|ip.ACK)}, Pass},
		"RST":                             {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(80, 40000, ip.RST)}, Pass},
		"FIN scan":                        {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.FIN)}, Scan},
		"NULL scan":                       {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, 0)}, Scan},
		"XMAS scan":                       {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.FIN|ip.PSH|ip.URG)}, Scan},
		"SYN and FIN":                     {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN|ip.FIN)}, Scan},
		"SYN, ACK and FIN":                {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN|ip.ACK|ip.FIN)}, Scan},
		"SYN and RST":                     {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN|ip.RST)}, Scan},
		"TCP cut short":                   {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN)[:12]}, Malformed},
		"UDP to a granted port":           {spec{src: there4, dst: here4, protocol: 17, body: udpBody(40000, 6010)}, Pass},
		"UDP to another port":             {spec{src: there4, dst: here4, protocol: 17, body: udpBody(40000, 6011)}, NotGranted},
		"UDP that answers":                {spec{src: there4, dst: here4, protocol: 17, body: udpBody(53, 5000)}, Pass},
		"UDP from another port":           {spec{src: there4, dst: here4, protocol: 17, body: udpBody(54, 5000)}, NotGranted},
		"UDP to another port of ours":     {spec{src: there4, dst: here4, protocol: 17, body: udpBody(53, 5001)}, NotGranted},
		"UDP, spoofed IPv6 reply":         {spec{src: there6, dst: here6, protocol: 17, body: udpBody(53, 5000)}, NotGranted},
		"UDP cut short":                   {spec{src: there4, dst: here4, protocol: 17, body: udpBody(53, 5000)[:6]}, Malformed},
		"echo":                            {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(8, nil)}, Pass},
		"echo reply":                      {spec{src: there6, dst: here6, protocol: 58, body: icmpBody(129, nil)}, Pass},
		"echo to a network without ICMP":  {spec{src: there4, dst: granted4, protocol: 1, body: icmpBody(8, nil)}, NotGranted},
		"timestamp":                       {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(13, nil)}, NotGranted},
		"ICMP redirect":                   {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(5, quotedUDP)}, Link},
		"ICMPv6 redirect":                 {spec{src: there6, dst: here6, protocol: 58, body: icmpBody(137, nil)}, Link},
		"router advertisement":            {spec{src: there6, dst: here6, protocol: 58, body: icmpBody(134, nil)}, Link},
		"neighbour solicitation":          {spec{src: there6, dst: here6, protocol: 58, body: icmpBody(135, nil)}, Link},
		"ICMPv6 in IPv4":                  {spec{src: there4, dst: here4, protocol: 58, body: icmpBody(128, nil)}, NotGranted},
		"ICMP in IPv6":                    {spec{src: there6, dst: here6, protocol: 1, body: icmpBody(8, nil)}, NotGranted},
		"unreachable about our flow":      {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(3, quotedUDP)}, Pass},
		"cut after the quoted ports":      {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(3, quotedUDP[:28])}, Pass},
		"cut before them":                 {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(3, quotedUDP[:22])}, Reply},
		"quote cut in its header":         {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(3, quotedUDP[:12])}, Malformed},
		"unreachable about another flow":  {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(3, quotedOthers)}, Reply},
		"error about others' packets":     {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(11, spec{src: far4, dst: there4, protocol: 6, body: tcpBody(1, 2, ip.ACK)}.bytes())}, Reply},
		"too big about our TCP":           {spec{src: there6, dst: here6, protocol: 58, body: icmpBody(2, spec{src: here6, dst: there6, protocol: 6, body: tcpBody(1, 2, ip.ACK)}.bytes())}, Pass},
		"error about our echo":            {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(11, spec{src: here4, dst: there4, protocol: 1, body: icmpBody(8, nil)}.bytes())}, Pass},
		"error about an error":            {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(11, spec{src: here4, dst: there4, protocol: 1, body: icmpBody(3, nil)}.bytes())}, Reply},
		"GRE":                             {spec{src: there4, dst: here4, protocol: 47, body: make([]byte, 8)}, Pass},
		"ESP":                             {spec{src: there4, dst: here4, protocol: 50, body: make([]byte, 8)}, NotGranted},
		"SCTP":                            {spec{src: there4, dst: here4, protocol: 132, body: make([]byte, 12)}, NotGranted},
		"no next header":                  {spec{src: there6, dst: here6, protocol: 59}, NotGranted},
		"SYN behind the router":           {spec{src: there4, dst: behind4, protocol: 6, body: tcpBody(40000, 22, ip.SYN)}, NotGranted},
		"an answer behind the router":     {spec{src: there4, dst: behind4, protocol: 6, body: tcpBody(22, 40000, ip.SYN|ip.ACK)}, Pass},
		"SYN to a granted network":        {spec{src: there4, dst: granted4, protocol: 6, body: tcpBody(40000, 8080, ip.SYN)}, Pass},
		"UDP to a granted network":        {spec{src: there4, dst: granted4, protocol: 17, body: udpBody(40000, 6000)}, NotGranted},
		"somewhere else":                  {spec{src: there4, dst: far4, protocol: 6, body: tcpBody(40000, 22, ip.ACK)}, Destination},
		"multicast":                       {spec{src: there4, dst: netip.MustParseAddr("224.0.0.251"), protocol: 17, body: udpBody(5353, 5353)}, Destination},
		"first fragment with ports":       {spec{src: there4, dst: here4, protocol: 17, body: udpBody(40000, 6000), fragment: 0x2000, id: 7}, Pass},
		"first fragment without":          {spec{src: there4, dst: here4, protocol: 17, body: udpBody(40000, 6000)[:2], fragment: 0x2000, id: 8}, Fragment},
		"first fragment, not granted":     {spec{src: there4, dst: here4, protocol: 17, body: udpBody(40000, 7), fragment: 0x2000, id: 9}, NotGranted},
		"later fragment of nothing":       {spec{src: there4, dst: here4, protocol: 17, body: make([]byte, 8), fragment: 0x00b9, id: 10}, Fragment},
		"tiny TCP fragment":               {spec{src: there4, dst: here4, protocol: 6, body: tcpBody(40000, 22, ip.SYN)[:8], fragment: 0x2000, id: 11}, Fragment},
		"later IPv6 fragment of nothing":  {spec{src: there6, dst: here6, protocol: 17, body: make([]byte, 8), fragment: 0x05c8, id: 12}, Fragment},
		"atomic IPv6 fragment":            {spec{src: there6, dst: here6, protocol: 17, body: udpBody(1, 6000), extensions: []byte{destination}}, Pass},
		"nine extension headers":          {spec{src: there6, dst: here6, protocol: 6, body: tcpBody(40000, 22, ip.SYN), extensions: extensions(9)}, Malformed},
		"eight extension headers":         {spec{src: there6, dst: here6, protocol: 6, body: tcpBody(40000, 22, ip.SYN), extensions: extensions(8)}, Pass},
		"extension headers hide no port":  {spec{src: there6, dst: here6, protocol: 6, body: tcpBody(40000, 23, ip.SYN), extensions: extensions(3)}, NotGranted},
		"an extension header, cut short":  {spec{src: there6, dst: here6, protocol: hopByHop, body: []byte{6, 0, 0}}, Malformed},
		"an extension header, too long":   {spec{src: there6, dst: here6, protocol: destination, body: []byte{6, 9, 0, 0, 0, 0, 0, 0}}, Malformed},
		"routing header of type 0":        {spec{src: there6, dst: here6, protocol: routing, body: append([]byte{6, 0, 0, 0, 0, 0, 0, 0}, tcpBody(1, 22, ip.SYN)...)}, Malformed},
		"routing header of another type":  {spec{src: there6, dst: here6, protocol: 6, body: tcpBody(1, 22, ip.SYN), extensions: []byte{routing}}, Pass},
		"super-packet of a granted flow":  {spec{src: there4, dst: here4, protocol: 6, body: append(tcpBody(40000, 22, ip.ACK), make([]byte, 60000)...)}, Pass},
		"IPv4 in IPv4":                    {spec{src: there4, dst: here4, protocol: 4, body: make([]byte, 20)}, NotGranted},
		"first fragment of ICMP redirect": {spec{src: there4, dst: here4, protocol: 1, body: icmpBody(5, nil), fragment: 0x2000}, Link},
	} {
		f := filterOf()
		f.Sent(spec{src: here4, dst: there4, protocol: ip.ProtoUDP, body: udpBody(5000, 53)}.packet(t), 1000)
		if got := f.Judge(rules(t), c.spec.packet(t), 1000); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if got := f.Judge(nil, c.spec.packet(t), 1000); got != Pass {
			t.Errorf("%s, of a peer without rules: %v", name, got)
		}
	}
}

func extensions(n int) (all []byte) {
	for range n {
		all = append(all, destination)
	}
	return all
}

func TestFragmentsFollowTheFirst(t *testing.T) {
	for _, four := range []bool{true, false} {
		f, r := filterOf(), rules(t)
		src, dst, rest := there4, here4, uint16(0x00b9)
		begin := uint16(0x2000)
		if !four {
			src, dst, begin, rest = there6, here6, 1, 0x05c8
		}
		head := spec{src: src, dst: dst, protocol: 17, body: udpBody(40000, 6000), fragment: begin, id: 99}
		tail := spec{src: src, dst: dst, protocol: 17, body: make([]byte, 100), fragment: rest, id: 99}
		if v := f.Judge(r, tail.packet(t), 10); v != Fragment {
			t.Errorf("a later fragment before the first: %v", v)
		}
		if v := f.Judge(r, head.packet(t), 10); v != Pass {
			t.Fatalf("the first: %v", v)
		}
		for i, c := range []struct {
			id  uint16
			at  int64
			dst netip.Addr
			out Verdict
		}{{99, 10, dst, Pass}, {99, 40, dst, Pass}, {99, 41, dst, Fragment}, {98, 11, dst, Fragment}} {
			tail.id, tail.dst = c.id, c.dst
			if v := f.Judge(r, tail.packet(t), c.at); v != c.out {
				t.Errorf("case %d: %v, want %v", i, v, c.out)
			}
		}
	}
}

func TestAFlowEnds(t *testing.T) {
	f, r := filterOf(), rules(t)
	out := spec{src: here4, dst: there4, protocol: 17, body: udpBody(5000, 53)}.packet(t)
	in := spec{src: there4, dst: here4, protocol: 17, body: udpBody(53, 5000)}.packet(t)
	f.Sent(out, 100)
	for at, want := range map[int64]Verdict{100: Pass, 280: Pass, 281: NotGranted} {
		if v := f.Judge(r, in, at); v != want {
			t.Errorf("%d s after: %v", at-100, v)
		}
	}
	f.Sent(out, 200)
	if v := f.Judge(r, in, 380); v != Pass {
		t.Errorf("180 s after the newest: %v", v)
	}
}

func TestManyFlowsAreRemembered(t *testing.T) {
	f, r, lost := filterOf(), rules(t), 0
	const n = 50_000
	for i := range n {
		f.Sent(spec{src: here4, dst: there4, protocol: 17, body: udpBody(uint16(i), uint16(i>>2|1))}.packet(t), int64(i/1000))
	}
	for i := range n {
		if f.Judge(r, spec{src: there4, dst: here4, protocol: 17, body: udpBody(uint16(i>>2|1), uint16(i))}.packet(t), 60) == NotGranted {
			lost++
		}
	}
	if lost > n/200 {
		t.Errorf("%d of %d flows were pushed out", lost, n)
	}
	t.Logf("%d of %d flows were pushed out of sets of %d", lost, n, flowWays)
}

func TestRanges(t *testing.T) {
	var many []Entry
	for i := range MaxRanges {
		many = append(many, Entry{To: Self, Traffic: Traffic{Protocol: 6, First: uint16(10 + 2*i), Last: uint16(10 + 2*i)}, By: fmt.Sprintf("line %d", i)})
	}
	r, err := Compile(many)
	if err != nil {
		t.Fatal(err)
	}
	for port := range uint16(200) {
		if got, want := within(r.self.tcp, port), port >= 10 && port < 10+2*MaxRanges && port%2 == 0; got != want {
			t.Fatalf("port %d: %v", port, got)
		}
	}
	if _, err = Compile(append(many, Entry{To: Self, Traffic: Traffic{Protocol: 6, First: 1, Last: 1}, By: "the last line"})); err == nil || !strings.Contains(err.Error(), "the last line") {
		t.Errorf("one range more: %v", err)
	}
	if _, err = Compile(append(many, Entry{To: Self, Traffic: Traffic{Protocol: 6, First: 11, Last: 11}}, Entry{To: Self, Traffic: Traffic{Protocol: 6, First: 2000, Last: 2000}})); err != nil {
		t.Errorf("one that joins two, and one more: %v", err)
	}
}

func TestTheLineThatDecides(t *testing.T) {
	r := rules(t)
	for _, c := range []struct {
		self     bool
		dst      netip.Addr
		protocol uint8
		port     uint16
		want     string
	}{
		{true, here4, 6, 22, "self ssh"}, {true, here4, 6, 23, ""}, {true, here6, 17, 6003, "self udp"}, {true, here4, 47, 0, "self gre"},
		{false, granted4, 6, 1, "lan tcp"}, {false, granted4, 17, 1, ""}, {false, behind4, 6, 22, ""}, {false, far4, 6, 22, ""},
	} {
		if got := r.By(c.self, c.dst, c.protocol, c.port); got != c.want {
			t.Errorf("%v %d:%d by %q, want %q", c.dst, c.protocol, c.port, got, c.want)
		}
	}
}

func TestAnExit(t *testing.T) {
	r, err := Compile([]Entry{{To: Exit, Traffic: traffic(t, "*"), By: "exit"}})
	if err != nil {
		t.Fatal(err)
	}
	f := filterOf()
	if v := f.Judge(r, spec{src: there4, dst: far4, protocol: 6, body: tcpBody(1, 443, ip.SYN)}.packet(t), 0); v != Pass {
		t.Errorf("beyond the exit: %v", v)
	}
	if v := f.Judge(r, spec{src: there4, dst: here4, protocol: 6, body: tcpBody(1, 443, ip.SYN)}.packet(t), 0); v != NotGranted {
		t.Errorf("the exit itself: %v", v)
	}
}

func TestTrafficIsReadAndWritten(t *testing.T) {
	for _, s := range []string{"tcp:22", "udp:6000-6010", "tcp:*", "udp:*", "icmp", "proto:47", "*"} {
		if got := traffic(t, s).String(); got != s {
			t.Errorf("%q is written %q", s, got)
		}
	}
	for s, one := range map[string]bool{"tcp:22": true, "icmp": true, "proto:47": true, "udp:6000-6010": false, "tcp:*": false, "*": false, "ssh": false} {
		if x, err := ParseOne(s); (err == nil) != one || one && x.String() != s {
			t.Errorf("%q is read as the one %v: %v", s, x, err)
		}
	}
	for _, s := range []string{"", "tcp", "tcp:", "tcp:0", "tcp:65536", "tcp:9-8", "tcp:1-2-3", "udp:x", "proto:6", "proto:256", "proto:44", "icmp:8", "ssh", "tcp:22 "} {
		if x, err := ParseTraffic(s); err == nil {
			t.Errorf("%q is read as %v", s, x)
		}
	}
}
