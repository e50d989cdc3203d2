package udp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/records"
)

// A posted datagram is one that a post office has taken.
type posted struct {
	to   netip.AddrPort
	data []byte
	hops int // 0: as the socket has it
}

// A postOffice is a messenger that keeps what is sent, after some failures.
type postOffice struct {
	sent  []posted
	fails []unix.Errno
	calls int
}

func (o *postOffice) sendmmsg(b *burst) (int, unix.Errno) {
	o.calls++
	if len(o.fails) > 0 {
		e := o.fails[0]
		o.fails = o.fails[1:]
		return 0, e
	}
	for i := range b.n {
		h := &b.hdrs[i].hdr
		p := posted{to: make(zones).address((*unix.RawSockaddrInet6)(unsafe.Pointer(h.Name))),
			data: bytes.Clone(unsafe.Slice(b.iovs[i].Base, int(b.iovs[i].Len)))}
		if h.Control != nil {
			for oob := unsafe.Slice(h.Control, int(h.Controllen)); len(oob) > 0; {
				hdr, body, rest, err := unix.ParseOneSocketControlMessage(oob)
				if err != nil {
					panic(err)
				}
				if four := p.to.Addr().Is4(); four && hdr.Level == unix.IPPROTO_IP && hdr.Type == unix.IP_TTL || !four && hdr.Level == unix.IPPROTO_IPV6 && hdr.Type == unix.IPV6_HOPLIMIT {
					p.hops = int(binary.NativeEndian.Uint32(body))
				}
				oob = rest
			}
		}
		o.sent = append(o.sent, p)
	}
	return b.n, 0
}

// posting is openers whose datagrams a post office takes.
func posting(fails ...unix.Errno) (*openers, *postOffice) {
	office := &postOffice{fails: fails}
	d := table()
	d.hints, d.count, d.local = newHints(), new(Counters), netip.MustParseAddrPort("[::]:4242")
	d.out = directSender{via: office, spare: make(chan *burst, spareBursts)}
	return newOpeners(d, func(wire.RecordID) bool { return false }, d.count), office
}

func TestOpenersHaveAHopLimitAndKnocksHaveNone(t *testing.T) {
	o, office := posting()
	four, six := farN(1), netip.MustParseAddrPort("[2001:db8::1]:4242")
	o.open([]netip.AddrPort{four, six, netip.MustParseAddrPort("[::ffff:10.0.0.9]:4242")}, time.Now())
	o.knock([]netip.AddrPort{four, six}, time.Now())
	want := []posted{{to: four, hops: 2}, {to: six, hops: 2}, {to: netip.MustParseAddrPort("10.0.0.9:4242"), hops: 2}, {to: four}, {to: six}}
	if len(office.sent) != len(want) {
		t.Fatalf("%d sent", len(office.sent))
	}
	seen := make(map[string]bool)
	for i, got := range office.sent {
		if got.to != want[i].to || got.hops != want[i].hops {
			t.Errorf("%v with %d hops, want %v", got.to, got.hops, want[i])
		}
		if len(got.data) != 44 || !wire.IsRecord(got.data) || seen[string(got.data[:8])] {
			t.Errorf("%x", got.data)
		}
		seen[string(got.data[:8])] = true
	}
	if o.count.Openers.Load() != 3 || o.count.Knocks.Load() != 2 {
		t.Error(o.count.Openers.Load(), o.count.Knocks.Load())
	}
}

// An id that somebody has here would make an opener that comes back a record.
func TestOpenersHaveAnIDThatNobodyHas(t *testing.T) {
	o, office := posting()
	asked := 0
	var refused wire.RecordID
	o.known = func(id wire.RecordID) bool {
		if asked++; asked == 1 {
			refused = id
		}
		return asked == 1
	}
	o.open([]netip.AddrPort{farN(1)}, time.Now())
	if len(office.sent) != 1 || wire.RecordID(office.sent[0].data[1:8]) == refused || asked != 2 {
		t.Fatal(len(office.sent), asked)
	}
}

// With the full hop limit an opener is what it has to prevent, so no error may cost it
// its limit; one that is about another remote costs nothing.
func TestAnOpenerNeverLeavesWithoutItsHopLimit(t *testing.T) {
	for _, c := range []struct {
		fails []unix.Errno
		sent  int
	}{
		{[]unix.Errno{unix.EHOSTUNREACH, unix.ECONNREFUSED, unix.EINTR}, 1},
		{[]unix.Errno{unix.EINVAL}, 0}, {[]unix.Errno{unix.EADDRNOTAVAIL}, 0}, {[]unix.Errno{unix.EAGAIN}, 0}, {[]unix.Errno{unix.EPERM}, 0},
		{slicesOf(unix.ENETUNREACH, 100), 0},
	} {
		o, office := posting(c.fails...)
		p := o.directs.to(farN(1))
		p.arrived(localAddr{addr: netip.MustParseAddr("10.0.0.7")}, 0) // a source that errors may take away
		o.open([]netip.AddrPort{farN(1)}, time.Now())
		if len(office.sent) != c.sent || c.sent == 1 && office.sent[0].hops != 2 || office.calls > maxLimitedTries {
			t.Errorf("%v: %+v in %d calls", c.fails, office.sent, office.calls)
		}
		if p.source.Load() == nil || p.source.Load().control.n != unix.CmsgSpace(unix.SizeofInet4Pktinfo) {
			t.Errorf("%v: the path's own source has changed", c.fails)
		}
	}
}

func slicesOf(e unix.Errno, n int) (all []unix.Errno) {
	for range n {
		all = append(all, e)
	}
	return all
}

func TestBudgetOfOpenersIsOneForAllRemotes(t *testing.T) {
	o, office := posting()
	now := time.Now()
	try := func(first, n int) (bytes int) {
		before := len(office.sent)
		for i := range n {
			o.open([]netip.AddrPort{farN(first + i)}, now)
			o.knock([]netip.AddrPort{farN(first + i)}, now)
		}
		return (len(office.sent) - before) * costOf(farN(0).Addr())
	}
	if got := try(0, 5000); got > openerBurst || got < openerBurst-100 {
		t.Errorf("%d bytes at once", got)
	}
	spent := 0
	for i := range 10 {
		now = now.Add(100 * time.Millisecond)
		spent += try(10_000*(i+1), 5000)
	}
	if spent > openerRate+costOf(remoteN(0).Addr()) || spent < openerRate*9/10 {
		t.Errorf("%d bytes in a second", spent)
	}
	if o.count.NotOpened.Load() == 0 || len(o.strangers) > maxStrangers {
		t.Error(o.count.NotOpened.Load(), len(o.strangers))
	}
}

// What answers an opener or a knock is no hint about a path; anything else is, and so
// is what comes later.
func TestAnswersToOpenersAreNoHints(t *testing.T) {
	o, _ := posting()
	now := time.Now()
	router := netip.MustParseAddr("192.168.1.1")
	o.open([]netip.AddrPort{farN(1)}, now)
	o.knock([]netip.AddrPort{farN(2)}, now)
	for i, want := range []bool{false, true, true, false} {
		for _, exceeded := range []bool{false, true} {
			if got := o.answered(report{farN(i), router, exceeded}, now); got != want {
				t.Errorf("remote %d, exceeded %v: %v", i, exceeded, got)
			}
		}
	}
	if o.answered(report{farN(1), router, true}, now.Add(answerTime)) {
		t.Error("the answer to something long ago")
	}
}

// A search sends one packet a second to its remote, and its result is the hop limit of
// openers from then on: of IPv6 at least 2.
func TestDepthIsThatOfOpeners(t *testing.T) {
	for remote, routers := range map[string]string{
		"203.0.113.9:4242":   "192.168.1.1 100.64.0.1 203.0.113.1",
		"203.0.113.8:443":    "203.0.113.1",
		"[2001:db8::9]:4242": "2001:db8::1",
	} {
		o, office := posting()
		hub := netip.MustParseAddrPort(remote)
		words := strings.Fields(routers)
		stop := o.begin(hub)
		now := time.Now()
		for i, word := range words {
			hops, next := o.step(hub, stop, now)
			if hops != i+1 || next != now.Add(depthGap) {
				t.Fatalf("%s: packet %d with %d hops, the next at %v", remote, i, hops, next.Sub(now))
			}
			if !o.answered(report{hub, netip.MustParseAddr(word), true}, now) {
				t.Errorf("%s: an answer taken for a hint", remote)
			}
			now = next
		}
		if hops, next := o.step(hub, stop, now); hops != 0 || !next.IsZero() {
			t.Errorf("%s: it goes on: %d, %v", remote, hops, next)
		}
		o.open([]netip.AddrPort{farN(1), netip.MustParseAddrPort("[2001:db8::1]:4242")}, now)
		four, six := 2, 2
		if hub.Addr().Is4() {
			four = len(words)
		}
		if got := fmt.Sprint(office.sent[0].hops, office.sent[1].hops); got != fmt.Sprint(four, six) {
			t.Errorf("%s: hop limits %s, want %d and %d", remote, got, four, six)
		}
		if again := o.begin(hub); o.depth(farN(1).Addr()) != defaultDepth && hub.Addr().Is4() || again == stop {
			t.Errorf("%s: the depth of the network before", remote)
		}
		if hops, next := o.step(hub, stop, now); hops != 0 || !next.IsZero() {
			t.Errorf("%s: two searches at a time", remote)
		}
	}
}

// SPEC of struct sock_extended_err, with the control messages before it that our
// options bring.
func TestExtendedErrors(t *testing.T) {
	sa4 := append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET), 0, 0, 192, 168, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	sa6 := append(binary.NativeEndian.AppendUint16(nil, unix.AF_INET6), make([]byte, 26)...)
	copy(sa6[8:], netip.MustParseAddr("2001:db8::1").AsSlice())
	mapped := bytes.Clone(sa6)
	copy(mapped[8:], netip.MustParseAddr("::ffff:192.168.1.1").AsSlice())
	for _, c := range []struct {
		what         string
		level, typ   int32
		errno        unix.Errno
		origin, kind byte
		sender       []byte
		by           string
		exceeded, ok bool
	}{
		{"hop limit, IPv4", unix.IPPROTO_IP, unix.IP_RECVERR, unix.EHOSTUNREACH, unix.SO_EE_ORIGIN_ICMP, 11, sa4, "192.168.1.1", true, true},
		{"hop limit, IPv4 on a dual-stack socket", unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.EHOSTUNREACH, unix.SO_EE_ORIGIN_ICMP, 11, mapped, "192.168.1.1", true, true},
		{"hop limit, IPv6", unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.EHOSTUNREACH, unix.SO_EE_ORIGIN_ICMP6, 3, sa6, "2001:db8::1", true, true},
		{"unreachable, IPv4", unix.IPPROTO_IP, unix.IP_RECVERR, unix.EHOSTUNREACH, unix.SO_EE_ORIGIN_ICMP, 3, sa4, "192.168.1.1", false, true},
		{"refused, IPv6", unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.ECONNREFUSED, unix.SO_EE_ORIGIN_ICMP6, 1, sa6, "2001:db8::1", false, true},
		{"no sender", unix.IPPROTO_IP, unix.IP_RECVERR, unix.EHOSTUNREACH, unix.SO_EE_ORIGIN_ICMP, 11, nil, "", true, true},
		{"too big", unix.IPPROTO_IP, unix.IP_RECVERR, unix.EMSGSIZE, unix.SO_EE_ORIGIN_ICMP, 3, sa4, "", false, false},
		{"of this host", unix.IPPROTO_IP, unix.IP_RECVERR, unix.EMSGSIZE, unix.SO_EE_ORIGIN_LOCAL, 0, nil, "", false, false},
	} {
		body := binary.NativeEndian.AppendUint32(nil, uint32(c.errno))
		body = append(append(body, c.origin, c.kind), make([]byte, extendedError-6)...)
		body = append(body, c.sender...)
		oob := make([]byte, 256)
		n := putControl(oob, unix.IPPROTO_IP, unix.IP_TTL, []byte{1, 0, 0, 0})
		n += putControl(oob[n:], c.level, c.typ, body)
		by, exceeded, ok := readExtendedError(oob[:n])
		if ok != c.ok || exceeded != c.exceeded || by.IsValid() != (c.by != "") || c.by != "" && by != netip.MustParseAddr(c.by) {
			t.Errorf("%s: %v, %v, %v", c.what, by, exceeded, ok)
		}
	}
	if _, _, ok := readExtendedError(nil); ok {
		t.Error("nothing")
	}
}

// Nobody makes this node send to all hosts of a network.
func TestTheSocketSendsNoBroadcasts(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		c, err := Open(testOptions(netip.MustParseAddrPort(at)))
		if err != nil {
			t.Fatal(err)
		}
		rc, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if option(rc, unix.SOL_SOCKET, unix.SO_BROADCAST) != 0 {
			t.Errorf("%s: SO_BROADCAST", at)
		}
		c.Close()
	}
}

// Datagrams of a circuit leave one by one as they are, and do not count as records that
// were refused.
func TestForwardedDatagramsLeaveAsTheyAre(t *testing.T) {
	_, b, ab, _ := directPair(t, testOptions(loopback), testOptions(loopback))
	label := records.New(1208, 1) // its form
	b.in.Know(label)
	datagrams := new(wire.Batch)
	for range 50 {
		datagrams.Append(label)
	}
	datagrams.Append(label[:40])
	if n, err := ab.(link.Forwarder).Forward(datagrams); n != 51 || err != nil {
		t.Fatal(n, err)
	}
	records.Eventually(t, 30*time.Second, "all of them", func() bool { return b.in.Len() == 51 })
	for i, got := range b.in.Recs {
		if !bytes.Equal(got, datagrams.At(i)) {
			t.Fatalf("number %d came as %d bytes", i, len(got))
		}
	}
	_, p := scripted(func(int, int, int, bool) unix.Errno { return unix.EAGAIN })
	if n, err := p.Forward(datagrams); n != 0 || err != link.ErrQueueFull || p.d.count.Full.Load() != 0 {
		t.Fatal(n, err, p.d.count.Full.Load())
	}
	if n, err := p.Forward(new(wire.Batch)); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}

// farN is remoteN with a port that may get something.
func farN(i int) netip.AddrPort { return netip.AddrPortFrom(remoteN(i).Addr(), 4242) }
