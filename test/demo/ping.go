package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/node"
)

const (
	pings    = 5
	pingGap  = 100 * time.Millisecond
	pingWait = 2 * time.Second // an answer that takes longer is lost
)

// An echoer pings one address from a host, as ping does.
type echoer struct {
	conn        *icmp.PacketConn
	to          netip.Addr
	id          int
	ask, answer icmp.Type
	protocol    int // of ICMP in this family
	times       []time.Duration
	sent        int
}

func newEchoer(h *lab.Host, to netip.Addr) (*echoer, error) {
	e := &echoer{to: to, id: rand.IntN(1 << 16), ask: ipv4.ICMPTypeEcho, answer: ipv4.ICMPTypeEchoReply, protocol: 1}
	network, any := "ip4:icmp", "0.0.0.0"
	if to.Is6() {
		e.ask, e.answer, e.protocol = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58
		network, any = "ip6:ipv6-icmp", "::"
	}
	err := h.Do(func() (err error) {
		e.conn, err = icmp.ListenPacket(network, any)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open a socket for ping: %w", err)
	}
	return e, nil
}

// run sends n echoes and waits for each answer; each is told of it. It fails if
// none is answered.
func (e *echoer) run(ctx context.Context, n int, each func(seq int, rtt time.Duration)) error {
	defer context.AfterFunc(ctx, func() { e.conn.SetDeadline(time.Unix(1, 0)) })()
	for seq := 1; seq <= n && ctx.Err() == nil; seq++ {
		rtt, err := e.once(seq)
		if err == nil {
			e.times = append(e.times, rtt)
			each(seq, rtt)
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("ping %s: %w", e.to, err)
		}
		node.Pause(ctx, pingGap)
	}
	if len(e.times) == 0 && ctx.Err() == nil {
		return fmt.Errorf("ping %s: no answer to any of %d echoes through the tunnel", e.to, n)
	}
	return ctx.Err()
}

// once sends one echo and waits for its answer.
func (e *echoer) once(seq int) (time.Duration, error) {
	m := icmp.Message{Type: e.ask, Body: &icmp.Echo{ID: e.id, Seq: seq, Data: make([]byte, 56)}}
	packet, err := m.Marshal(nil)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := e.conn.SetReadDeadline(start.Add(pingWait)); err != nil {
		return 0, err
	}
	if _, err := e.conn.WriteTo(packet, &net.IPAddr{IP: e.to.AsSlice()}); err != nil {
		return 0, err
	}
	e.sent++
	buf := make([]byte, 1500)
	for {
		n, _, err := e.conn.ReadFrom(buf)
		if err != nil {
			return 0, err
		}
		if e.answers(buf[:n], seq) {
			return time.Since(start), nil
		}
	}
}

// answers reports whether a packet is the answer to echo seq. The socket gets
// every ICMP packet of the host.
func (e *echoer) answers(packet []byte, seq int) bool {
	m, err := icmp.ParseMessage(e.protocol, packet)
	if err != nil || m.Type != e.answer {
		return false
	}
	echo, ok := m.Body.(*icmp.Echo)
	return ok && echo.ID == e.id && echo.Seq == seq
}

func (e *echoer) String() string {
	if len(e.times) == 0 {
		return fmt.Sprintf("0 of %d answered", e.sent)
	}
	var sum time.Duration
	for _, t := range e.times {
		sum += t
	}
	return fmt.Sprintf("%d of %d answered, min/avg/max %s/%s/%s ms", len(e.times), e.sent,
		ms(slices.Min(e.times)), ms(sum/time.Duration(len(e.times))), ms(slices.Max(e.times)))
}

// ms is a time in milliseconds, with three digits after the point as ping has.
func ms(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond)) }
