package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

const (
	chunk = 256 << 10        // bytes of one read or write
	grace = 10 * time.Second // beyond its duration for a flow to start and to end
)

// flow sends a TCP stream from one host to an address of another for d, and
// returns the rate at which it arrived, in bit/s. Each second is told of while
// it passes.
func flow(ctx context.Context, from, to lab.Network, at netip.Addr, d time.Duration, each func(bits float64)) (float64, error) {
	out, in, err := join(ctx, from, to, at)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	defer in.Close()
	for _, c := range []*net.TCPConn{out, in} {
		c.SetDeadline(time.Now().Add(d + grace))
		defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	}
	sent := make(chan error, 1)
	go func() { sent <- send(out, d) }()
	bits, err := receive(in, each)
	if err != nil {
		out.Close() // or the sender would wait for a window
	}
	return bits, stalled(errors.Join(<-sent, err))
}

// join connects the hosts through the tunnel.
func join(ctx context.Context, from, to lab.Network, at netip.Addr) (out, in *net.TCPConn, err error) {
	l, err := to.ListenTCP(netip.AddrPortFrom(at, 0))
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	// The kernel completes the connection without us, so one after the other.
	out, err = from.DialTCP(ctx, l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		return nil, nil, err
	}
	l.SetDeadline(time.Now().Add(grace))
	in, err = l.AcceptTCP()
	if err != nil {
		out.Close()
	}
	return out, in, err
}

// send writes for d and ends the stream.
func send(c *net.TCPConn, d time.Duration) error {
	buf := make([]byte, chunk)
	for end := time.Now().Add(d); time.Now().Before(end); {
		if _, err := c.Write(buf); err != nil {
			return err
		}
	}
	return c.CloseWrite()
}

// receive reads to the end of the stream.
func receive(c *net.TCPConn, each func(bits float64)) (float64, error) {
	buf := make([]byte, chunk)
	start := time.Now()
	var total, shown int
	for last := start; ; {
		n, err := c.Read(buf)
		now := time.Now()
		total += n
		if now.Sub(last) >= time.Second {
			each(bitrate(total-shown, now.Sub(last)))
			shown, last = total, now
		}
		if errors.Is(err, io.EOF) {
			return bitrate(total, now.Sub(start)), nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func stalled(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the stream through the tunnel stalled")
	}
	return err
}

func bitrate(bytes int, d time.Duration) float64 { return float64(bytes) * 8 / d.Seconds() }

// rate is bit/s as people read it.
func rate(bits float64) string { return fmt.Sprintf("%.0f Mbit/s", bits/1e6) }
