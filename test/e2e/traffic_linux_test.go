package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// ping sends count pings at once and returns how many were answered within 3 s. They
// leave at once because ping waits for the last answer two round trips or its interval,
// whichever is longer (-W if there was none), and a busy machine is later than two
// round trips. Options go in front of the address.
func (w *world) ping(from *lab.Host, to netip.Addr, count int, options ...string) (answered int) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	args := append([]string{"-n", "-q", "-l", strconv.Itoa(count), "-c", strconv.Itoa(count), "-i", "3", "-W", "3"}, options...)
	out, err := from.Command(ctx, "ping", append(args, to.String())...).CombinedOutput()
	m := regexp.MustCompile(`(\d+) received`).FindSubmatch(out)
	if m == nil {
		w.Fatalf("ping %s: %v: %s", to, err, out)
	}
	answered, _ = strconv.Atoi(string(m[1]))
	return answered
}

// pings fails the test unless every ping is answered within 3 s, and says then what
// the nodes have dropped. Options go in front of the address.
func (w *world) pings(from *lab.Host, to netip.Addr, count int, options ...string) {
	w.Helper()
	answered, out := w.eachPing(from, to, count, options...)
	if answered == count {
		return
	}
	w.Errorf("%s: %d of %d pings to %s answered: %s", from.Name, answered, count, to, out)
	for _, n := range w.nodes {
		s, err := n.Client().Status(w.Context())
		for i := 0; err == nil && i < len(s.Peers); i++ {
			w.Logf("%s: %s", n.Interface, brief(s.Peers[i]))
		}
	}
}

// eachPing is eachPing of the test.
func (w *world) eachPing(from *lab.Host, to netip.Addr, count int, options ...string) (answered int, out string) {
	return eachPing(w.Context(), from, to, count, options...)
}

// eachPing sends count pings, 20 ms apart, each by a ping of its own: one that sends
// several waits for the last answer no longer than two round trips. It ends with the
// first one that is not answered within 3 s, and returns what that one printed.
func eachPing(ctx context.Context, from *lab.Host, to netip.Addr, count int, options ...string) (answered int, out string) {
	const loop = `n=$1; shift; while [ $n -gt 0 ]; do ping -n -c 1 -W 3 "$@" || exit; n=$((n - 1)); sleep 0.02; done`
	args := append([]string{"-c", loop, "sh", strconv.Itoa(count)}, options...)
	all, err := from.Command(ctx, "sh", append(args, to.String())...).CombinedOutput()
	if answered = bytes.Count(all, []byte(" 1 received")); answered == count {
		return answered, ""
	}
	return answered, fmt.Sprintf("%v: %s", err, tail(all, 500))
}

// silent fails the test if a ping is answered.
func (w *world) silent(from *lab.Host, to netip.Addr, options ...string) {
	w.Helper()
	if got := w.ping(from, to, 3, append(options, "-W", "1")...); got != 0 {
		w.Errorf("%s: %d pings to %s answered, which nobody should", from.Name, got, to)
	}
}

// transfer sends size bytes by TCP from one host to an address of another,
// fails the test unless the digests are equal, and returns the time it took.
func (w *world) transfer(from, to *lab.Host, at netip.Addr, size int64) time.Duration {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	l, err := to.ListenTCP(netip.AddrPortFrom(at, 0))
	w.ok(err)
	defer l.Close()
	var got received
	var wg sync.WaitGroup
	wg.Go(func() { got = receive(ctx, l) })
	start := time.Now()
	sum, err := send(ctx, from, l.Addr().(*net.TCPAddr).AddrPort(), size)
	if err != nil {
		cancel() // or receive waits for more
	}
	wg.Wait()
	took := time.Since(start)
	if err != nil || got.err != nil || got.size != size || got.sum != sum {
		w.Fatalf("TCP to %s: sent %d bytes, digest %x (%v); received %d, digest %x (%v)", at, size, sum, err, got.size, got.sum, got.err)
	}
	w.Logf("TCP to %s: %d bytes in %v, %.0f Mbit/s, digest %x at both ends", at, size, took.Round(time.Millisecond), mbits(size, took), sum)
	return took
}

func mbits(bytes int64, d time.Duration) float64 { return float64(bytes) * 8 / 1e6 / d.Seconds() }

type received struct {
	size int64
	sum  [sha256.Size]byte
	err  error
}

// receive takes one connection and digests it to its end.
func receive(ctx context.Context, l *net.TCPListener) (r received) {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	c, err := l.AcceptTCP()
	if err != nil {
		return received{err: err}
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	h := sha256.New()
	r.size, r.err = io.Copy(h, c)
	h.Sum(r.sum[:0])
	return r
}

// send connects, sends size random bytes and returns their digest.
func send(ctx context.Context, from *lab.Host, to netip.AddrPort, size int64) (sum [sha256.Size]byte, err error) {
	c, err := from.DialTCP(ctx, to)
	if err != nil {
		return sum, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	h := sha256.New()
	noise := rand.NewChaCha8([32]byte{byte(size)})
	if _, err := io.CopyBuffer(onlyWriter{io.MultiWriter(c, h)}, io.LimitReader(noise, size), make([]byte, 1<<18)); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, c.CloseWrite()
}

// onlyWriter hides other methods, so that CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// iperf3 runs one TCP stream for some seconds and returns bits per second.
func (w *world) iperf3(from, to *lab.Host, at netip.Addr, seconds int) float64 {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Duration(seconds+30)*time.Second)
	defer cancel()
	server := to.Command(ctx, "iperf3", "-s", "-1", "-B", at.String())
	w.ok(server.Start())
	defer func() { _ = server.Stop(time.Second) }() // it ends after one run by itself
	w.eventually(patience, "iperf3 listens", func() bool { return listens(ctx, to, 5201) })
	client := from.Command(ctx, "iperf3", "-c", at.String(), "-J", "-t", strconv.Itoa(seconds))
	out, err := client.Output()
	if err != nil {
		w.Fatalf("iperf3: %v: %s", err, out)
	}
	return receivedRate(w, out)
}

// listens reports whether a TCP port of a host has a listener, without
// connecting: the server takes one client only.
func listens(ctx context.Context, h *lab.Host, port int) bool {
	out, err := h.Run(ctx, "cat", "/proc/self/net/tcp", "/proc/self/net/tcp6")
	return err == nil && regexp.MustCompile(fmt.Sprintf(`:%04X [0-9A-F]+:0000 0A`, port)).MatchString(out)
}

func receivedRate(w *world, report []byte) float64 {
	w.Helper()
	var r struct {
		End struct {
			SumReceived struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	w.ok(json.NewDecoder(bytes.NewReader(report)).Decode(&r))
	return r.End.SumReceived.Rate
}
