package tun_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

func create(t testing.TB, name string) *tun.Device {
	t.Helper()
	d, err := tun.Create(tun.Config{Name: name, NoOffload: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// running is a device with both addresses, up.
func running(t testing.TB, name string) *tun.Device {
	t.Helper()
	d := create(t, name)
	for _, p := range []netip.Prefix{ours4, ours6, ours6} { // twice is fine
		if err := d.AddAddress(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Up(); err != nil {
		t.Fatal(err)
	}
	tuntest.AwaitAddress(t, ours6.Addr())
	return d
}

type result struct {
	packets [][]byte
	err     error
}

// read runs one Read on another goroutine and waits for it at most wait.
func read(d *tun.Device, b *tun.Batch) <-chan result {
	done := make(chan result, 1)
	go func() {
		n, err := d.Read(b)
		r := result{err: err}
		for i := range n {
			r.packets = append(r.packets, bytes.Clone(b.Packets[i].Data()))
		}
		done <- r
	}()
	return done
}

func receive(t *testing.T, c <-chan result) result {
	t.Helper()
	select {
	case r := <-c:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("Read did not return within 30 s")
		return result{}
	}
}

// packet copies p into a buffer with room to join up to 64 KiB.
func packet(p []byte) tun.Packet {
	buf := make([]byte, 16+65535)
	return tun.Packet{Buf: buf, Off: 16, Len: copy(buf[16:], p)}
}

func TestCreateMakesADeviceThatCloseRemoves(t *testing.T) {
	tuntest.Namespace(t)
	d, err := tun.Create(tun.Config{Name: "l2t", MTU: 1300})
	if err != nil {
		t.Fatal(err)
	}
	link, err := netlink.LinkByName("l2t")
	if err != nil || link.Attrs().Index != d.Index() || link.Attrs().MTU != 1300 || d.MTU() != 1300 || d.Name() != "l2t" {
		t.Fatalf("kernel has %+v (%v), device says %s %d %d", link, err, d.Name(), d.Index(), d.MTU())
	}
	if err := d.SetMTU(1400); err != nil || d.MTU() != 1400 {
		t.Fatalf("MTU %d, %v", d.MTU(), err)
	}
	if err := d.SetMTU(1279); !errors.Is(err, tun.ErrMTU) {
		t.Fatalf("MTU 1279: %v", err)
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := netlink.LinkByName("l2t"); err == nil {
		t.Fatal("the device outlived Close")
	}
	if err := d.Up(); !errors.Is(err, os.ErrClosed) || d.MTU() != 0 {
		t.Fatalf("after Close: Up %v, MTU %d", err, d.MTU())
	}
	if n, err := d.Write([]tun.Packet{packet(echoRequest(theirs4, ours4.Addr()))}); n != 0 || !errors.Is(err, os.ErrClosed) {
		t.Fatalf("after Close: Write %d, %v", n, err)
	}
}

func TestCreateRefusesATakenName(t *testing.T) {
	tuntest.Namespace(t)
	first := create(t, "l2t")
	persistent := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "stale"}, Mode: netlink.TUNTAP_MODE_TUN}
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "cable"}, PeerName: "cable1"}
	for _, l := range []netlink.Link{persistent, veth} {
		if err := netlink.LinkAdd(l); err != nil {
			t.Fatal(err)
		}
	}
	for name, word := range map[string]string{
		"l2t": "running program", "stale": "ip link delete stale", "cable": `kind "veth"`,
	} {
		_, err := tun.Create(tun.Config{Name: name, NoOffload: true})
		if !errors.Is(err, tun.ErrTaken) || !bytes.Contains([]byte(err.Error()), []byte(word)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := netlink.LinkByName(name); err != nil {
			t.Errorf("%s was touched: %v", name, err)
		}
	}
	if first.MTU() != tun.DefaultMTU {
		t.Error("the first device was touched")
	}
}

func TestKernelAnswersAnEchoRequest(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	for _, c := range []struct {
		ours, theirs netip.Addr
		header       int
		reply        byte
	}{{ours4.Addr(), theirs4, 20, 0}, {ours6.Addr(), theirs6, 40, 129}} {
		b := tun.NewBatch(tun.BatchSize, 2048, 32)
		answer := read(d, b)
		request := echoRequest(c.theirs, c.ours)
		if n, err := d.Write([]tun.Packet{packet(request)}); n != 1 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		r := receive(t, answer)
		if r.err != nil || len(r.packets) != 1 {
			t.Fatalf("Read: %d packets, %v", len(r.packets), r.err)
		}
		got := r.packets[0]
		if len(got) != len(request) || got[c.header] != c.reply || !bytes.Equal(got[c.header+4:], request[c.header+4:]) {
			t.Fatalf("not the answer: %x", got)
		}
		if b.Packets[0].Off != 32 {
			t.Fatalf("packet at offset %d", b.Packets[0].Off)
		}
	}
}

func TestDeviceIsQuiet(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	select {
	case r := <-read(d, tun.NewBatch(tun.BatchSize, 2048, 16)):
		t.Fatalf("the kernel sends by itself: %x %v", r.packets, r.err)
	case <-time.After(1500 * time.Millisecond): // a first router solicitation comes within 1 s
	}
	link, err := netlink.LinkByIndex(d.Index())
	if err != nil || link.Attrs().RawFlags&unix.IFF_MULTICAST != 0 {
		t.Fatalf("multicast is on: %v", err)
	}
	addrs, err := netlink.AddrList(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: d.Index()}}, netlink.FAMILY_V6)
	if err != nil || len(addrs) != 1 {
		t.Fatalf("addresses %v, %v", addrs, err)
	}
}

func TestCloseEndsRead(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	r := read(d, tun.NewBatch(1, 2048, 16))
	time.Sleep(20 * time.Millisecond)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, r); r.err != os.ErrClosed {
		t.Fatalf("got %v", r.err)
	}
	if _, err := d.Read(tun.NewBatch(1, 2048, 16)); err != os.ErrClosed {
		t.Fatalf("Read after Close: %v", err)
	}
}

func TestDeletedDeviceIsGone(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	r := read(d, tun.NewBatch(1, 2048, 16))
	if err := netlink.LinkDel(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: d.Index()}}); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, r); !errors.Is(r.err, tun.ErrGone) || errors.Is(r.err, os.ErrClosed) {
		t.Fatalf("got %v", r.err)
	}
	if _, err := d.Write([]tun.Packet{packet(echoRequest(theirs4, ours4.Addr()))}); !errors.Is(err, tun.ErrGone) {
		t.Fatalf("Write: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWriteSaysWhatWasNotTaken(t *testing.T) {
	tuntest.Namespace(t)
	d := create(t, "l2t") // down
	good := echoRequest(theirs4, ours4.Addr())
	if n, err := d.Write([]tun.Packet{packet(good), packet(good)}); n != 0 || !errors.Is(err, unix.EIO) {
		t.Fatalf("down: %d, %v", n, err)
	}
	if err := d.Up(); err != nil {
		t.Fatal(err)
	}
	bad := packet(good)
	bad.Off = tun.Headroom - 1
	partial := packet(good)
	partial.Partial = true
	n, err := d.Write([]tun.Packet{packet(good), bad, packet(good), partial})
	if n != 2 || !errors.Is(err, tun.ErrPacket) || !errors.Is(err, tun.ErrOffload) {
		t.Fatalf("got %d, %v", n, err)
	}
	if n, err := d.Write(nil); n != 0 || err != nil {
		t.Fatalf("nothing: %d, %v", n, err)
	}
}

func listen(t testing.TB, port int) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ours4.Addr().AsSlice(), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	raw, _ := c.SyscallConn()
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A run of one flow may be joined on input; a socket must see each
// datagram, and more flows than wireguard/tun's tables hold must pass.
func TestWriteDeliversEveryDatagram(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	c := listen(t, 7000)
	to := netip.AddrPortFrom(ours4.Addr(), 7000)
	var batch []tun.Packet
	want := map[string]bool{}
	for i := range 300 {
		body := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 100)
		want[string(body)] = true
		from := netip.AddrPortFrom(theirs4, uint16(5000+i))
		if i >= 200 { // the rest is one flow
			from = netip.AddrPortFrom(theirs4, 4999)
		}
		batch = append(batch, packet(udpPacket(from, to, body)))
	}
	if n, err := d.Write(batch); n != 300 || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	buf := make([]byte, 2048)
	for len(want) > 0 {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("%d datagrams are missing: %v", len(want), err)
		}
		if !want[string(buf[:n])] {
			t.Fatalf("unknown or doubled datagram %x", buf[:n])
		}
		delete(want, string(buf[:n]))
	}
}

// sendSegments makes the kernel hand over one UDP super-packet.
func sendSegments(t *testing.T, total, segment int) {
	t.Helper()
	c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: theirs4.AsSlice(), Port: 9})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, _ := c.SyscallConn()
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, segment) })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, total)); err != nil {
		t.Fatal(err)
	}
}

func TestReadSplitsSuperPackets(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	b := tun.NewBatch(tun.BatchSize, 2048, 16)
	r := read(d, b)
	sendSegments(t, 20*1000+7, 1000)
	got := receive(t, r)
	if got.err != nil || len(got.packets) != 21 {
		t.Fatalf("%d packets, %v", len(got.packets), got.err)
	}
	for i, p := range got.packets {
		want := 1028
		if i == 20 {
			want = 35
		}
		if len(p) != want || !udpChecksumHolds(p) {
			t.Fatalf("packet %d of %d bytes: wrong size or checksum", i, len(p))
		}
	}
}

func TestReadSurvivesPacketsBeyondItsBuffers(t *testing.T) {
	tuntest.Namespace(t)
	d := running(t, "l2t")
	if err := d.SetMTU(9000); err != nil { // an administrator may do that
		t.Fatal(err)
	}
	b := tun.NewBatch(4, 2048, 16)
	r := read(d, b)
	sendSegments(t, 20000, 8000) // each segment larger than a buffer
	sendSegments(t, 8000, 8000)  // one packet larger than a buffer
	sendSegments(t, 10000, 1000) // more segments than buffers
	got := receive(t, r)
	if got.err != nil || len(got.packets) != 3 || d.Skipped() != 3 {
		t.Fatalf("%d packets, %v, skipped %d", len(got.packets), got.err, d.Skipped())
	}
	r = read(d, b)
	sendSegments(t, 10, 10)
	if got := receive(t, r); got.err != nil || len(got.packets) != 1 {
		t.Fatalf("afterwards: %d packets, %v", len(got.packets), got.err)
	}
}

func TestAddAddressRefusesWhatIsNone(t *testing.T) {
	tuntest.Namespace(t)
	d := create(t, "l2t")
	for _, p := range []netip.Prefix{{}, netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("ff02::1/128"), netip.MustParsePrefix("::ffff:1.2.3.4/128")} {
		if err := d.AddAddress(p); err == nil {
			t.Errorf("%s was taken", p)
		}
	}
}
