package datapath

import (
	"bytes"
	"encoding/binary"
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/tun"
)

var (
	behindB  = netip.MustParseAddr("192.168.50.9") // behind B, and nothing there is open to A
	openedB  = netip.MustParseAddr("192.168.60.9") // behind B, and TCP there is
	beyondB  = netip.MustParseAddr("10.0.3.7")     // another peer of B
	foreignB = netip.MustParseAddr("203.0.113.9")  // nobody's
)

// packetOf is a packet of a protocol with its header and data, marked as a fragment if
// frag is not 0.
func packetOf(src, dst netip.Addr, protocol byte, body []byte, frag, id uint16) []byte {
	if src.Is4() {
		b := packet(src, dst, ip.V4Size, 0)
		b[9] = protocol
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)+len(body)))
		binary.BigEndian.PutUint16(b[4:], id)
		binary.BigEndian.PutUint16(b[6:], frag)
		return append(b, body...)
	}
	b := packet6(src, dst, ip.V6Size)
	b[6] = protocol
	if frag != 0 {
		b[6] = 44
		body = append([]byte{protocol, 0, byte(frag >> 8), byte(frag), 0, 0, byte(id >> 8), byte(id)}, body...)
	}
	binary.BigEndian.PutUint16(b[4:], uint16(len(body)))
	return append(b, body...)
}

func tcpTo(port uint16, flags byte) []byte {
	b := make([]byte, ip.TCPSize)
	binary.BigEndian.PutUint16(b, 40000)
	binary.BigEndian.PutUint16(b[2:], port)
	b[12], b[13] = 5<<4, flags
	return b
}

func udpOf(from, to uint16) []byte {
	b := make([]byte, ip.UDPSize+4)
	binary.BigEndian.PutUint16(b, from)
	binary.BigEndian.PutUint16(b[2:], to)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	return b
}

func icmpOf(typ byte, quoted []byte) []byte {
	return append([]byte{typ, 0, 0, 0, 0, 0, 0, 0}, quoted...)
}

// headers puts n headers of destination options before a body of a protocol, and returns
// the first's number.
func headers(n int, protocol byte, body []byte) (byte, []byte) {
	for range n {
		body = append([]byte{protocol, 0, 1, 4, 0, 0, 0, 0}, body...)
		protocol = 60
	}
	return protocol, body
}

// limited is a pair of which B lets A reach TCP 22 and UDP 6000 to 6010 of itself and TCP
// in one of the networks behind it.
func limited(t testing.TB) (a, b *side) {
	t.Helper()
	a, b = newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	for _, p := range prefixes("fd00::1/128") {
		if err := b.data.Owners().Routes().Insert(p, b.peer); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.data.Owners().Routes().Insert(netip.MustParsePrefix("10.0.3.0/24"), b.data.NewPeer(limits, b.sink)); err != nil {
		t.Fatal(err)
	}
	behind := prefixes("192.168.50.0/24", "192.168.60.0/24")
	if err := b.data.Owners().SetOwn(append(prefixes("10.0.0.2/32", "fd00::2/128"), behind...)); err != nil {
		t.Fatal(err)
	}
	b.data.SetHost([]netip.Addr{addrB, addrB6}, behind)
	b.peer.SetRules(rulesOf(t, "tcp:22", "udp:6000-6010", "proto:47"))
	return a, b
}

func rulesOf(t testing.TB, self ...string) *filter.Rules {
	t.Helper()
	entries := []filter.Entry{{To: filter.Route, Prefix: netip.MustParsePrefix("192.168.60.0/24"), Traffic: filter.Traffic{Protocol: ip.ProtoTCP, Last: 65535}}}
	for _, s := range self {
		traffic, err := filter.ParseTraffic(s)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, filter.Entry{To: filter.Self, Traffic: traffic})
	}
	r, err := filter.Compile(entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The whole way in: what a member of a network may send comes out of the device, and all
// else is dropped and counted by the peer and the reason.
func TestCraftedPacketsOfALimitedPeer(t *testing.T) {
	const more = 0x2000
	ours := packetOf(addrB, addrA, 17, udpOf(5000, 53), 0, 0)
	others := packetOf(addrB, addrA, 17, udpOf(5001, 53), 0, 0)
	eight, behindEight := headers(8, 6, tcpTo(22, ip.SYN))
	nine, behindNine := headers(9, 6, tcpTo(22, ip.SYN))
	three, behindThree := headers(3, 6, tcpTo(23, ip.SYN))
	const pass = ""
	cases := []struct {
		name   string
		packet []byte
		want   string // the reason; empty: it passes
	}{
		{"SYN to its port", packetOf(addrA, addrB, 6, tcpTo(22, ip.SYN), 0, 0), pass},
		{"the same, IPv6", packetOf(addrA6, addrB6, 6, tcpTo(22, ip.SYN), 0, 0), pass},
		{"SYN to another port", packetOf(addrA, addrB, 6, tcpTo(23, ip.SYN), 0, 0), "filter_not_granted"},
		{"simultaneous open", packetOf(addrA, addrB, 6, tcpTo(40001, ip.SYN), 0, 0), "filter_not_granted"},
		{"SYN and ACK", packetOf(addrA, addrB, 6, tcpTo(40000, ip.SYN|ip.ACK), 0, 0), pass},
		{"ACK scan", packetOf(addrA, addrB, 6, tcpTo(23, ip.ACK), 0, 0), pass}, // answered by RST, as of a host that is there
		{"RST", packetOf(addrA, addrB, 6, tcpTo(23, ip.RST), 0, 0), pass},
		{"FIN scan", packetOf(addrA, addrB, 6, tcpTo(22, ip.FIN), 0, 0), "filter_scan"},
		{"NULL scan", packetOf(addrA, addrB, 6, tcpTo(22, 0), 0, 0), "filter_scan"},
		{"XMAS scan", packetOf(addrA, addrB, 6, tcpTo(22, ip.FIN|ip.PSH|ip.URG), 0, 0), "filter_scan"},
		{"SYN with FIN", packetOf(addrA, addrB, 6, tcpTo(22, ip.SYN|ip.FIN), 0, 0), "filter_scan"},
		{"SYN with RST", packetOf(addrA, addrB, 6, tcpTo(22, ip.SYN|ip.RST), 0, 0), "filter_scan"},
		{"TCP, cut short", packetOf(addrA, addrB, 6, tcpTo(22, ip.SYN)[:12], 0, 0), "filter_malformed"},
		{"UDP in the range", packetOf(addrA, addrB, 17, udpOf(1, 6010), 0, 0), pass},
		{"UDP beside it", packetOf(addrA, addrB, 17, udpOf(1, 6011), 0, 0), "filter_not_granted"},
		{"UDP that answers", packetOf(addrA, addrB, 17, udpOf(53, 5000), 0, 0), pass},
		{"a reply from another port", packetOf(addrA, addrB, 17, udpOf(54, 5000), 0, 0), "filter_not_granted"},
		{"a reply to another port", packetOf(addrA, addrB, 17, udpOf(53, 5001), 0, 0), "filter_not_granted"},
		{"a reply with another's source", packetOf(beyondB, addrB, 17, udpOf(53, 5000), 0, 0), "bad_source"},
		{"echo", packetOf(addrA, addrB, 1, icmpOf(8, nil), 0, 0), pass},
		{"echo, IPv6", packetOf(addrA6, addrB6, 58, icmpOf(128, nil), 0, 0), pass},
		{"echo to the LAN", packetOf(addrA, behindB, 1, icmpOf(8, nil), 0, 0), "filter_not_granted"},
		{"timestamp", packetOf(addrA, addrB, 1, icmpOf(13, nil), 0, 0), "filter_not_granted"},
		{"redirect", packetOf(addrA, addrB, 1, icmpOf(5, ours), 0, 0), "filter_link_message"},
		{"ICMPv6 redirect", packetOf(addrA6, addrB6, 58, icmpOf(137, nil), 0, 0), "filter_link_message"},
		{"router advertisement", packetOf(addrA6, addrB6, 58, icmpOf(134, nil), 0, 0), "filter_link_message"},
		{"neighbour advertisement", packetOf(addrA6, addrB6, 58, icmpOf(136, nil), 0, 0), "filter_link_message"},
		{"unreachable about our flow", packetOf(addrA, addrB, 1, icmpOf(3, ours), 0, 0), pass},
		{"unreachable about another", packetOf(addrA, addrB, 1, icmpOf(3, others), 0, 0), "filter_reply"},
		{"error about others' packets", packetOf(addrA, addrB, 1, icmpOf(11, packetOf(foreignB, addrA, 6, tcpTo(1, ip.ACK), 0, 0)), 0, 0), "filter_reply"},
		{"error with a cut quote", packetOf(addrA, addrB, 1, icmpOf(3, ours[:12]), 0, 0), "filter_malformed"},
		{"GRE", packetOf(addrA, addrB, 47, make([]byte, 8), 0, 0), pass},
		{"ESP", packetOf(addrA, addrB, 50, make([]byte, 8), 0, 0), "filter_not_granted"},
		{"SCTP", packetOf(addrA, addrB, 132, make([]byte, 12), 0, 0), "filter_not_granted"},
		{"the same port of the LAN", packetOf(addrA, behindB, 6, tcpTo(22, ip.SYN), 0, 0), "filter_not_granted"},
		{"an answer to the LAN", packetOf(addrA, behindB, 6, tcpTo(40000, ip.SYN|ip.ACK), 0, 0), pass},
		{"SYN to the open network", packetOf(addrA, openedB, 6, tcpTo(8080, ip.SYN), 0, 0), pass},
		{"UDP to it", packetOf(addrA, openedB, 17, udpOf(1, 6000), 0, 0), "filter_not_granted"},
		{"to another peer", packetOf(addrA, beyondB, 6, tcpTo(22, ip.ACK), 0, 0), "filter_destination"},
		{"to nobody", packetOf(addrA, foreignB, 6, tcpTo(22, ip.SYN), 0, 0), "bad_destination"},
		{"first fragment", packetOf(addrA, addrB, 17, udpOf(1, 6000), more, 7), pass},
		{"its second", packetOf(addrA, addrB, 17, make([]byte, 8), 2, 7), pass},
		{"the second of another", packetOf(addrA, addrB, 17, make([]byte, 8), 2, 8), "filter_fragment"},
		{"first fragment without ports", packetOf(addrA, addrB, 6, tcpTo(22, ip.SYN)[:8], more, 9), "filter_fragment"},
		{"first fragment to another port", packetOf(addrA, addrB, 17, udpOf(1, 7), more, 10), "filter_not_granted"},
		{"its second, too", packetOf(addrA, addrB, 17, make([]byte, 8), 2, 10), "filter_fragment"},
		{"first fragment, IPv6", packetOf(addrA6, addrB6, 17, udpOf(1, 6000), 1, 7), pass},
		{"its second, IPv6", packetOf(addrA6, addrB6, 17, make([]byte, 8), 16, 7), pass},
		{"eight extension headers", packetOf(addrA6, addrB6, eight, behindEight, 0, 0), pass},
		{"nine", packetOf(addrA6, addrB6, nine, behindNine, 0, 0), "filter_malformed"},
		{"three before another port", packetOf(addrA6, addrB6, three, behindThree, 0, 0), "filter_not_granted"},
	}
	a, b := limited(t)
	b.inject(t, ours) // the flow that is answered
	a.next(t)
	want := make(map[string]uint64)
	for _, c := range cases {
		a.sealed(t, b, c.packet)
		if c.want == pass {
			if !bytes.Equal(b.next(t), c.packet) {
				t.Fatalf("%s: another packet came out", c.name)
			}
			continue
		}
		want[c.want]++
		if got := b.peer.Traffic().Drops(); !maps.Equal(got, want) {
			t.Fatalf("%s: drops %v, want %v", c.name, got, want)
		}
	}
	b.silent(t)
	dropped := b.peer.Traffic().Drops()
	b.peer.SetRules(nil) // a static peer: everything, but for the check of addresses
	for _, c := range cases {
		a.sealed(t, b, c.packet)
		if c.want != "bad_source" && c.want != "bad_destination" && !bytes.Equal(b.next(t), c.packet) {
			t.Fatalf("%s, without rules: another packet came out", c.name)
		}
	}
	faults.Report(t, "S49", true, "%d crafted packets through the whole inbound path: verdict and reason as in the table, counted by peer: %v", len(cases), dropped)
}

// sealed hands packets to the other side as records, past this side's own checks.
func (s *side) sealed(t *testing.T, to *side, packets ...[]byte) {
	t.Helper()
	var b wire.Batch
	s.e.Seal(&b, wire.SpaceDatagram, packets)
	to.data.Records(to.path, b.Slices())
}

// inject has the host send a packet.
func (s *side) inject(t testing.TB, packet []byte) {
	t.Helper()
	if err := s.dev.Inject(packet); err != nil {
		t.Fatal(err)
	}
}

// What was dropped is named with what it was sent to, and other notes have their places
// still.
func TestNotesOfTheFilter(t *testing.T) {
	a, b := limited(t)
	a.sealed(t, b, packetOf(addrA, foreignB, 6, tcpTo(22, ip.SYN), 0, 0))
	for port := range uint16(100) {
		a.sealed(t, b, packetOf(addrA, addrB, 6, tcpTo(1000+port, ip.SYN), 0, 0), packetOf(addrA, addrB, 6, tcpTo(1000+port, ip.FIN), 0, 0))
	}
	notes := b.data.Notes(time.Now().Add(-time.Minute))
	if len(notes) != maxPeerNotes+1 {
		t.Fatalf("%d notes", len(notes))
	}
	n := notes[0]
	if !n.Reason.OfFilter() || n.Addr != addrB || n.Protocol != 6 || n.Port != 1099 || n.Packets != 1 || n.Peer != b.peer {
		t.Errorf("the newest is %+v", n)
	}
	if last := notes[len(notes)-1]; last.Reason != link.DropBadDestination || last.Reason.OfFilter() {
		t.Errorf("the oldest is %+v", last)
	}
}

// The words of the filter's verdicts are those of the counters.
func TestReasonsOfTheFilter(t *testing.T) {
	for _, v := range filter.Verdicts() {
		if got, want := dropOfFilter(v).String(), "filter_"+v.String(); got != want {
			t.Errorf("%v is counted as %s", v, got)
		}
		if !dropOfFilter(v).OfFilter() {
			t.Errorf("%v is not of the filter", v)
		}
	}
}

// Rules change while packets come, and count from then on; flows stay known.
func TestRulesChangeWhilePacketsCome(t *testing.T) {
	a, b := limited(t)
	b.inject(t, packetOf(addrB, addrA, 17, udpOf(5000, 53), 0, 0))
	a.next(t)
	web, answer := packetOf(addrA, addrB, 6, tcpTo(80, ip.SYN), 0, 0), packetOf(addrA, addrB, 17, udpOf(53, 5000), 0, 0)
	a.sealed(t, b, web)
	b.peer.SetRules(rulesOf(t, "tcp:80"))
	a.sealed(t, b, web, answer, packetOf(addrA, addrB, 6, tcpTo(22, ip.SYN), 0, 0))
	for _, want := range [][]byte{web, answer} {
		if !bytes.Equal(b.next(t), want) {
			t.Error("another packet came out")
		}
	}
	if got := b.peer.Traffic().Drops(); got["filter_not_granted"] != 2 || len(got) != 1 {
		t.Error(got)
	}
	b.data.SetHost([]netip.Addr{addrB6}, nil) // the node has lost an address
	a.sealed(t, b, web)
	if got := b.peer.Traffic().Drops(); got["filter_destination"] != 1 {
		t.Error(got)
	}
}

// A super-packet of a granted flow passes as one, of another flow nothing does; on every
// carrier.
func TestSuperPacketsOfALimitedPeer(t *testing.T) {
	for _, carrier := range []*link.Kind{link.KindDirect, link.KindUTCP} {
		t.Run(carrier.String(), func(t *testing.T) {
			room := 1452
			if carrier == link.KindUTCP {
				room = wire.MaxBatch + wire.Overhead
			}
			closed := [2]nullDevice{{make(chan struct{})}, {make(chan struct{})}}
			kept := &countDevice{nullOffload: nullOffload{closed[1]}}
			a, b := newPairOn(t, room, nullOffload{closed[0]}, kept)
			a.path.carrier, b.path.carrier = carrier, carrier
			a.up(t, false)
			b.up(t, false)
			src, dst := netip.AddrFrom4([4]byte{10, 0, 0, 1}), netip.AddrFrom4([4]byte{10, 0, 0, 2})
			b.data.SetHost([]netip.Addr{dst}, nil)
			b.peer.SetRules(rulesOf(t, "tcp:1"))
			super := newFlow(false, 4000, 12, 1368).next(45*1368, 0)
			p, ok := ip.Read(super.Data())
			if !ok || p.Source() != src || p.Destination() != dst {
				t.Fatalf("the flow is from %v to %v", p.Source(), p.Destination())
			}
			var out outbound
			batch := tun.NewBatch(4, packetSize, tun.Headroom)
			send := func() {
				batch.Reset()
				copy(batch.Room()[tun.Headroom:], super.Buf)
				batch.Put(super)
				a.data.send(batch.Packets[:1], &out)
			}
			send()
			if kept.packets != 1 || kept.bytes != super.Len {
				t.Errorf("%d packets of %d bytes came out of one of %d", kept.packets, kept.bytes, super.Len)
			}
			b.data.SetHost(nil, nil)
			send()
			if got := b.peer.Traffic().Drops()["filter_destination"]; kept.packets != 1 || got == 0 {
				t.Errorf("%d packets came out, %d were dropped", kept.packets, got)
			}
		})
	}
}

// countDevice counts what it takes.
type countDevice struct {
	nullOffload
	packets, bytes int
}

func (d *countDevice) Write(pkts []tun.Packet) (int, error) {
	for i := range pkts {
		d.packets++
		d.bytes += pkts[i].Len
	}
	return len(pkts), nil
}
