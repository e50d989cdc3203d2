package datapath

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// docs/node.md 7.8: a packet that no peer takes is answered with an ICMP error from where
// it went, and the address is remembered.
func TestPacketsWithoutARouteAreAnswered(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	nobody, nobody6 := netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("fd00::3")
	for range 2 {
		a.dev.Inject(packet(addrA, nobody, 100, 0))
		p, ok := ip.Read(a.next(t))
		if body := p.Payload(); !ok || p.Source() != nobody || p.Destination() != addrA || body[0] != 3 || body[1] != 1 {
			t.Fatalf("IPv4: %x", p.Bytes())
		}
	}
	a.dev.Inject(packet6(addrA6, nobody6, 100))
	p, ok := ip.Read(a.next(t))
	if body := p.Payload(); !ok || p.Source() != nobody6 || p.Destination() != addrA6 || body[0] != 1 || body[1] != 3 {
		t.Fatalf("IPv6: %x", p.Bytes())
	}
	a.dev.Inject(packet(addrA, netip.MustParseAddr("224.0.0.1"), 100, 0)) // not answered
	a.dev.Inject(packet(addrA, addrB, 100, 1))
	b.next(t)
	a.silent(t)
	notes := a.data.Notes(time.Now().Add(-time.Minute))
	if len(notes) != 3 || a.data.Stray().Drops()["no_route"] != 4 {
		t.Fatalf("%+v, %v", notes, a.data.Stray().Drops())
	}
	for _, n := range notes {
		if n.Reason != link.DropNoRoute || n.Addr == nobody && n.Packets != 2 {
			t.Errorf("%+v", n)
		}
	}
}

// A flood is answered 50 times at once, 100 times a second.
func TestAnswersAreLimited(t *testing.T) {
	dev := tuntest.NewChannel(1024)
	d := New(dev)
	var mem answer
	now := time.Now()
	written := func() (n int) {
		for ; ; n++ {
			select {
			case <-dev.Written():
			default:
				return n
			}
		}
	}
	p := packet(addrA, addrB, 100, 0)
	for range 1000 {
		d.answers.unreachable(p, now, &mem)
	}
	if n := written(); n != answerBurst {
		t.Errorf("%d answers at once", n)
	}
	for i := range 1000 {
		d.answers.unreachable(p, now.Add(time.Duration(i)*time.Millisecond), &mem)
	}
	if n := written(); n < answerRate-2 || n > answerRate+2 {
		t.Errorf("%d answers in a second", n)
	}
}

// A peer that sends to another one who is away does not use up what this host's own
// programs are told with.
func TestPeersDoNotUseUpTheAnswers(t *testing.T) {
	dev := tuntest.NewChannel(1024)
	d := New(dev)
	peer := d.NewPeer(limits, new(sinkLog))
	if err := d.Owners().Routes().Insert(netip.PrefixFrom(addrA, 32), peer); err != nil {
		t.Fatal(err)
	}
	var mem answer
	now := time.Now()
	away := netip.MustParseAddr("10.0.0.9")
	for range 10_000 {
		d.answers.unreachable(packet(addrA, away, 100, 0), now, &mem)
	}
	transit := len(dev.Written())
	for range 60 {
		d.answers.unreachable(packet(addrB, away, 100, 0), now, &mem)
	}
	own := len(dev.Written()) - transit
	if transit != transitBurst || own != answerBurst {
		t.Errorf("%d and %d answers", transit, own)
	}
	faults.Report(t, "S48", own == answerBurst, "10000 packets of a peer to one that is away: %d answers; of the host's own 60 at once still %d", transit, own)
}

// What has waited in vain is answered too.
func TestExpiredPacketsAreAnswered(t *testing.T) {
	dev := tuntest.NewChannel(16)
	d := New(dev)
	p := d.NewPeer(link.QueueLimits{Bytes: 1 << 20, Packets: 8, Age: time.Second}, new(sinkLog))
	start := time.Now()
	p.wake().queue.push(packet(addrA, addrB, 100, 1), start, p.Traffic())
	if p.Expire(start.Add(500 * time.Millisecond)); len(dev.Written()) != 0 {
		t.Fatal("answered before its time")
	}
	p.Expire(start.Add(1100 * time.Millisecond))
	if len(dev.Written()) != 1 {
		t.Fatalf("%d answers", len(dev.Written()))
	}
	if got, ok := ip.Read(<-dev.Written()); !ok || got.Source() != addrB || got.Payload()[0] != 3 {
		t.Fatalf("%x", got.Bytes())
	}
}

// Packets without a route cost the packet loop no allocation, answered or not.
func TestPacketsWithoutARouteDoNotAllocate(t *testing.T) {
	a, _ := newPairOn(t, 1415, nullDevice{make(chan struct{})}, nullDevice{make(chan struct{})})
	batch := tun.NewBatch(64, 2048, tun.Headroom)
	for i := range batch.Packets {
		p := &batch.Packets[i]
		p.Len = copy(p.Buf[p.Off:], packet(addrA, netip.AddrFrom4([4]byte{10, 7, 7, byte(i)}), 1380, uint32(i)))
	}
	var out outbound
	a.data.send(batch.Packets, &out)
	if n := testing.AllocsPerRun(50, func() { a.data.send(batch.Packets, &out) }); n != 0 {
		t.Errorf("64 packets allocate %v times", n)
	}
}
