package e2e

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/transport/discovery"
)

// A liar knows the DIDs of two nodes and is neither. It makes questions as SPEC
// has them, with code of its own.
type liar struct {
	*world
	from, to did.DID
	via      *net.UDPConn
	source   netip.Addr
}

// liar speaks from an address on a host, which need not be the host's.
func (w *world) liar(h *lab.Host, source netip.Addr, from, to string) *liar {
	w.Helper()
	f, err := did.Parse(from)
	w.ok(err)
	t, err := did.Parse(to)
	w.ok(err)
	l := &liar{world: w, from: f, to: t, source: source}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		cerr := raw.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TTL, 255),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.BindToDevice(int(fd), "eth0"))
		})
		return errors.Join(cerr, err)
	}}
	w.ok(h.Do(func() error {
		c, err := lc.ListenPacket(w.Context(), "udp4", netip.AddrPortFrom(source, 0).String())
		if err == nil {
			l.via = c.(*net.UDPConn)
		}
		return err
	}))
	w.Cleanup(func() { l.via.Close() })
	return l
}

// question says that from is at a port of the source.
func (l *liar) question(port uint16) []byte {
	a, b := l.from.Digest(), l.to.Digest()
	key := make([]byte, 32)
	blake3.DeriveKey(key, "l2tun 2026-11 discovery v1", append(a[:], b[:]...))
	hash := func(msg []byte) []byte {
		h := blake3.New(32, key)
		h.Write(msg)
		return h.Sum(nil)
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	source := l.source.As16()
	subject := append(append([]byte{1}, salt...), source[:]...)
	h := hash(subject)
	p := append([]byte("l2td\x01\x01\x01\x00"), salt...)
	p = append(p, h[:8]...)
	p = binary.BigEndian.AppendUint16(p, port^binary.BigEndian.Uint16(h[8:10]))
	return append(p, hash(binary.BigEndian.AppendUint16(subject, port))[:8]...)
}

func (l *liar) say(packet []byte) {
	l.Helper()
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), discovery.Port)
	_, err := l.via.WriteToUDPAddrPort(packet, to)
	l.ok(err)
}

// Somebody who knows both DIDs says to be B, at a port where something listens.
// A tries it, sees that it is not B, and gets to B as soon as B is there; and
// nothing more happens once it has a session.
func TestSpoofedAnnouncementChangesNothing(t *testing.T) {
	t.Parallel()
	w, a, b := lan(t, "")
	a.up()
	trap, err := w.B.ListenUDP(netip.AddrPortFrom(w.B.IP4, 5555))
	w.ok(err)
	defer trap.Close()
	l := w.liar(w.B, w.B.IP4, b.DID, a.DID)
	l.say(l.question(5555))
	buf := make([]byte, 2000)
	w.ok(trap.SetReadDeadline(time.Now().Add(patience)))
	if _, _, err := trap.ReadFromUDPAddrPort(buf); err != nil {
		t.Fatalf("A did not even look there, so this test shows nothing: %v", err)
	}
	if p := a.peer(b); p.State == "established" || p.RxPackets != 0 {
		t.Fatalf("%+v", p)
	}
	b.up()
	a.waitPeer(b, patience, "established", isEstablished)
	b.waitPeer(a, patience, "established", isEstablished)
	time.Sleep(time.Second) // crossing handshakes and carriers settle
	checks := []func(){a.undisturbed(b), b.undisturbed(a)}
	endpoint := a.peer(b).Endpoint
	for range 200 {
		l.say(l.question(5555))
		time.Sleep(time.Millisecond)
	}
	w.pings(w.A, b.v4, 10)
	for _, check := range checks {
		check()
	}
	if now := a.peer(b).Endpoint; now != endpoint {
		t.Errorf("A is with B at %s, before at %s", now, endpoint)
	}
	faults.Report(t, "D1", true, "A looks there, sees that it is not B; 200 more move nothing")
}

// The same bytes from another address are nobody's: what a listener on the LAN
// copies leads nowhere.
func TestCopiedAnnouncementLeadsNowhere(t *testing.T) {
	t.Parallel()
	w, a, b := lan(t, "")
	a.up()
	other := netip.MustParseAddr("10.77.1.99")
	genuine := w.liar(w.B, w.B.IP4, b.DID, a.DID) // makes what B would send
	copied := w.liar(w.B, other, b.DID, a.DID)
	for range 100 {
		copied.say(genuine.question(4242))
	}
	time.Sleep(500 * time.Millisecond)
	if n := a.logged("found on the LAN"); n != 0 {
		t.Errorf("A took %d of them", n)
	}
	copied.say(copied.question(4242))
	a.waitLog(1, "found on the LAN") // the test can tell
}

// A hundred thousand identities, from 250 addresses, all for A.
func TestAnnouncedIdentitiesCostNoMemory(t *testing.T) {
	t.Parallel()
	w, a, b := lan(t, "")
	a.up()
	b.up()
	w.established(a, b)
	w.pings(w.A, b.v4, 20)
	time.Sleep(2 * time.Second)
	check := a.undisturbed(b)
	m := a.watchMemory()
	var liars []*liar
	for i := range 250 {
		liars = append(liars, w.liar(w.B, netip.AddrFrom4([4]byte{10, 77, 1, byte(i + 3)}), b.DID, a.DID))
	}
	const identities = 100_000
	sent := datagrams(w, a)
	for i := range identities {
		l := liars[i%len(liars)]
		var d [32]byte
		rand.Read(d[:])
		l.from = did.FromDigest(d)
		l.say(l.question(4242))
		if i%20 == 0 {
			time.Sleep(time.Millisecond) // or the socket buffer drops most of it
		}
	}
	time.Sleep(500 * time.Millisecond)
	grown, _ := m.grown()
	arrived := datagrams(w, a) - sent
	t.Logf("%d identities announced, %d datagrams taken by A's host: %v", identities, arrived, m)
	if grown > 4 {
		t.Errorf("grown by %.1f MiB", grown)
	}
	if arrived < identities/2 {
		t.Errorf("only %d arrived: this test shows little", arrived)
	}
	w.pings(w.A, b.v4, 5)
	check()
	faults.Report(t, "D2", true, "%d announced, %d arrived: %v", identities, arrived, m)
}

// datagrams is how many UDP datagrams the sockets of a node's host have taken.
func datagrams(w *world, n *node) (count int) {
	w.Helper()
	w.ok(n.Host.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		for _, line := range strings.Split(string(text), "\n") {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Udp:" && f[1] != "InDatagrams" {
				count, err = strconv.Atoi(f[1])
			}
		}
		return err
	}))
	return count
}
