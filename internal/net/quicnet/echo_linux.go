package quicnet

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// An Echo is what plain UDP datagrams to a node come to. Nobody's keys are
// needed: a node answers a QUIC packet of a version that it does not know with
// Version Negotiation (RFC 9000 6).
type Echo struct {
	Answered bool // some size was
	Largest  int  // UDP payload in bytes that was answered, of those asked; 0: none
	Refused  bool // the network says that nobody listens there
}

const (
	echoRounds = 6
	echoGap    = 250 * time.Millisecond
)

// EchoSizes are the datagrams that are worth asking about, in bytes of UDP
// payload: what small packets, QUIC's first ones and direct records need.
func EchoSizes() []int { return []int{minEcho, smallPacket, 1252, 1312, 1372, 1412, fullPacket} }

// ProbeUDP sends datagrams of each size to a node, unfragmented, and tells which
// are answered within a second and a half. Every size has a socket of its own, because
// the answers do not say to what.
func ProbeUDP(ctx context.Context, remote netip.AddrPort, sizes []int) Echo {
	var mu sync.Mutex
	var e Echo
	var wg sync.WaitGroup
	for _, size := range slices.Sorted(slices.Values(sizes)) {
		wg.Go(func() {
			answered, refused := echo(ctx, remote, max(size, minEcho))
			mu.Lock()
			defer mu.Unlock()
			e.Refused = e.Refused || refused
			if answered {
				e.Answered, e.Largest = true, max(e.Largest, size)
			}
		})
	}
	wg.Wait()
	return e
}

// echo asks for one size, a few times.
func echo(ctx context.Context, remote netip.AddrPort, size int) (answered, refused bool) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		return false, false
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	dontFragment(c)
	question := make([]byte, size)
	for range echoRounds {
		ids := unknownVersion(question)
		if _, err := c.Write(question); errors.Is(err, unix.ECONNREFUSED) {
			refused = true
		}
		c.SetReadDeadline(time.Now().Add(echoGap))
		for answer := make([]byte, 1500); ; {
			n, err := c.Read(answer)
			if err == nil && negotiates(answer[:n], ids) {
				return true, refused
			}
			if errors.Is(err, unix.ECONNREFUSED) {
				refused = true
			}
			if err != nil && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.EMSGSIZE) {
				break
			}
		}
	}
	return false, refused
}

// unknownVersion makes a packet of a version that nobody has, with ids of 8 bytes,
// and returns how an answer to it begins after its first byte.
func unknownVersion(b []byte) (answer []byte) {
	rand.Read(b)
	b[0] |= 0xC0
	copy(b[1:5], []byte{0x1a, 0x2a, 0x3a, 0x4a}) // see echoes
	b[5], b[14] = idLength, idLength
	answer = append([]byte{0, 0, 0, 0}, b[14:23]...)
	return append(answer, b[5:14]...)
}

// negotiates reports whether a packet is the Version Negotiation that a question
// asked for.
func negotiates(b, begins []byte) bool {
	return len(b) > 0 && b[0]&0x80 != 0 && bytes.HasPrefix(b[1:], begins)
}

// dontFragment makes datagrams larger than the path MTU vanish, as records do.
func dontFragment(c *net.UDPConn) {
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) { // of the other family's options one fails
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
	})
}
