package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// longFlag asks for the long forms: go test ./test/e2e -long.
var longFlag = flag.Bool("long", false, "run the long forms of all cases")

// full reports whether the lengths of the catalogue of faults were asked for: hours.
func full() bool { return os.Getenv("L2TUN_FULL") == "1" }

// either is what the short form of a case uses, or the long one.
func either[V any](short, long V) V {
	if *longFlag || full() {
		return long
	}
	return short
}

// whole is what the long form of a case of the catalogue uses, or the catalogue's own
// figure.
func whole[V any](long, whole V) V {
	if full() {
		return whole
	}
	return long
}

// catalogued reports whether the catalogue of faults runs the test: it sets the
// variable, if only to 0.
func catalogued() bool { return os.Getenv("L2TUN_FULL") != "" }

// inShort reports whether a case of the catalogue runs in its short form: unless the
// catalogue runs it, or -long is given.
func inShort() bool { return !*longFlag && !catalogued() }

// beside lets a case run beside others in its short form alone: the long form fills the
// machine, or promises a rate or a time that others would spoil.
func beside(t *testing.T) {
	t.Helper()
	if inShort() {
		t.Parallel()
	}
}

// shorter is what the short form of a case of the catalogue uses, or the one that the
// catalogue runs by default.
func shorter[V any](short, usual V) V {
	if inShort() {
		return short
	}
	return usual
}

// limit is a promise of the catalogue in time. The short forms run beside nine other
// tests, so that they allow three times as much.
func limit(promise time.Duration) time.Duration { return shorter(3*promise, promise) }

// held reports what a case of the catalogue has measured. In its short form a promise
// that is not kept fails the test; else the catalogue judges it.
func held(t interface {
	Helper()
	Attr(key, value string)
	Errorf(format string, args ...any)
}, id string, kept bool, format string, args ...any) {
	t.Helper()
	faults.Report(t, id, kept, format, args...)
	if inShort() && !kept {
		t.Errorf("%s: not kept: %s", id, fmt.Sprintf(format, args...))
	}
}

// onlyLong skips a case that has no short form, and says why, unless the catalogue
// runs it.
func onlyLong(t *testing.T, why string) {
	t.Helper()
	if inShort() {
		t.Skipf("needs the flag -long: %s", why)
	}
}

// twoNodes is A and B behind a router, made but not running. Only A knows where
// B is. The settings stand at the top of both configs.
func twoNodes(t *testing.T, s lab.Shape, settings string) (w *world, a, b *node) {
	t.Helper()
	s.Routed = true
	w = newWorld(t, s)
	a, b = w.node(w.A), w.node(w.B)
	for _, n := range []*node{a, b} {
		n.set(settings)
	}
	a.knows(b, b.endpoint4())
	b.knows(a, "")
	return w, a, b
}

// set puts settings at the top of a config. The node must not run.
func (n *node) set(settings string) {
	n.w.Helper()
	n.w.ok(n.Prepend(settings + "\n"))
}

// bothUp starts B, then A, and waits until they are established.
func (w *world) bothUp(a, b *node) {
	w.Helper()
	b.up()
	a.up()
	w.established(a, b)
}

// waitCarrier waits until a node uses a carrier for a peer, and says how long it
// took.
func (n *node) waitCarrier(p *node, carrier string, within time.Duration) time.Duration {
	n.w.Helper()
	start := time.Now()
	n.waitPeer(p, within, "on "+carrier, onCarrier(carrier))
	return time.Since(start)
}

// A pinger is a ping under way. What was answered can be read at any time.
type pinger struct {
	w     *world
	cmd   *lab.Cmd
	ended chan struct{} // its output has been read

	mu      sync.Mutex
	replies []reply
	copies  int // answers that came twice
}

// A reply is one answered ping, at its arrival.
type reply struct {
	at  time.Time
	seq int
	rtt time.Duration
}

// pinging starts a ping without end. It ends with stop, or with the test.
func (w *world) pinging(from *lab.Host, to netip.Addr, every time.Duration, options ...string) *pinger {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), either(3*time.Minute, 10*time.Minute))
	w.Cleanup(cancel)
	args := append([]string{"-n", "-D", "-i", strconv.FormatFloat(every.Seconds(), 'f', 3, 64)}, options...)
	p := &pinger{w: w, cmd: from.Command(ctx, "ping", append(args, to.String())...), ended: make(chan struct{})}
	out, err := p.cmd.StdoutPipe()
	w.ok(err)
	w.ok(p.cmd.Start())
	go p.read(out)
	return p
}

func (p *pinger) read(out io.Reader) {
	defer close(p.ended)
	line := regexp.MustCompile(`^\[([\d.]+)\] .*icmp_seq=(\d+) .*time=([\d.]+) ms(.*)$`)
	for sc := bufio.NewScanner(out); sc.Scan(); {
		m := line.FindStringSubmatch(sc.Text())
		if m == nil {
			continue
		}
		at, _ := strconv.ParseFloat(m[1], 64)
		seq, _ := strconv.Atoi(m[2])
		ms, _ := strconv.ParseFloat(m[3], 64)
		p.mu.Lock()
		if m[4] != "" { // "(DUP!)"
			p.copies++
		} else {
			p.replies = append(p.replies, reply{time.UnixMicro(int64(at * 1e6)), seq, time.Duration(ms * float64(time.Millisecond))})
		}
		p.mu.Unlock()
	}
}

// stop ends the ping and returns what came of it.
func (p *pinger) stop() pings {
	p.w.Helper()
	_ = p.cmd.Process.Signal(os.Interrupt)
	<-p.ended
	_ = p.cmd.Wait() // pings were lost, and ping says so by its code
	return p.sofar()
}

func (p *pinger) sofar() pings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return pings{slices.Clone(p.replies), p.copies}
}

// answeredAfter waits for the first answer that arrives after a moment, and says
// how long after.
func (p *pinger) answeredAfter(moment time.Time, within time.Duration) time.Duration {
	p.w.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, r := range p.sofar().replies {
			if r.at.After(moment) {
				return r.at.Sub(moment)
			}
		}
	}
	p.w.Fatalf("no ping is answered within %v", within)
	return 0
}

// pings are the answered ones, in the order of their arrival.
type pings struct {
	replies []reply
	copies  int
}

// lost is how many were not answered, up to the last one that was.
func (p pings) lost() int { return p.lostFrom(1) }

// lostFrom is the same, from a sequence number on.
func (p pings) lostFrom(seq int) (n int) {
	seen := make(map[int]bool)
	last := 0
	for _, r := range p.replies {
		seen[r.seq] = true
		last = max(last, r.seq)
	}
	for i := seq; i <= last; i++ {
		if !seen[i] {
			n++
		}
	}
	return n
}

// gap is the longest time between two answers.
func (p pings) gap() (most time.Duration) {
	for i := 1; i < len(p.replies); i++ {
		most = max(most, p.replies[i].at.Sub(p.replies[i-1].at))
	}
	return most
}

// centile is the round trip that so many of a hundred stay below.
func (p pings) centile(n int) time.Duration {
	if len(p.replies) == 0 {
		return 0
	}
	all := make([]time.Duration, len(p.replies))
	for i, r := range p.replies {
		all[i] = r.rtt
	}
	slices.Sort(all)
	return all[(len(all)-1)*n/100]
}

func (p pings) String() string {
	return fmt.Sprintf("%d answered, %d lost, %d twice, longest gap %v, round trip 50th %v 99th %v", len(p.replies), p.lost(), p.copies,
		p.gap().Round(time.Millisecond), p.centile(50), p.centile(99))
}

// A flow is a TCP transfer under way, at a rate of its own.
type flow struct {
	w       *world
	size    int64
	passed  atomic.Int64 // bytes written so far
	enough  atomic.Bool  // what has been written is all
	sum     [sha256.Size]byte
	got     received
	err     error
	started time.Time
	ended   chan struct{}
}

// flow starts to send size bytes at so many bytes a second, or as fast as it
// goes for 0.
func (w *world) flow(from, to *lab.Host, at netip.Addr, size, rate int64) *flow {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 3*time.Minute)
	w.Cleanup(cancel)
	l, err := to.ListenTCP(netip.AddrPortFrom(at, 0))
	w.ok(err)
	f := &flow{w: w, size: size, started: time.Now(), ended: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() { f.got = receive(ctx, l) })
	wg.Go(func() {
		if f.err = f.send(ctx, from, l.Addr().(*net.TCPAddr).AddrPort(), rate); f.err != nil {
			cancel() // or receive waits for more
		}
	})
	go func() {
		wg.Wait()
		l.Close()
		close(f.ended)
	}()
	return f
}

func (f *flow) send(ctx context.Context, from *lab.Host, to netip.AddrPort, rate int64) error {
	c, err := from.DialTCP(ctx, to)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	h, buf := sha256.New(), make([]byte, 1<<16)
	noise := rand.NewChaCha8([32]byte{byte(f.size)})
	for start := time.Now(); f.passed.Load() < f.size && !f.enough.Load(); {
		if rate > 0 {
			time.Sleep(time.Until(start.Add(time.Duration(float64(f.passed.Load()) / float64(rate) * float64(time.Second)))))
		}
		piece := buf[:min(int64(len(buf)), f.size-f.passed.Load())]
		_, _ = noise.Read(piece) // never fails
		h.Write(piece)
		n, err := c.Write(piece)
		f.passed.Add(int64(n))
		if err != nil {
			return err
		}
	}
	h.Sum(f.sum[:0])
	f.size = f.passed.Load()
	return c.CloseWrite()
}

// reaches waits until so many bytes were written.
func (f *flow) reaches(bytes int64, within time.Duration) {
	f.w.Helper()
	f.w.eventually(within, fmt.Sprintf("%d bytes are written", bytes), func() bool { return f.passed.Load() >= bytes })
}

// done fails the test unless everything has arrived unchanged in time.
func (f *flow) done(within time.Duration) {
	f.w.Helper()
	select {
	case <-f.ended:
	case <-time.After(within):
		f.w.Fatalf("TCP: %d bytes written, and the other end has not all of them within %v", f.passed.Load(), within)
	}
	if f.err != nil || f.got.err != nil || f.got.size != f.size || !bytes.Equal(f.sum[:], f.got.sum[:]) {
		f.w.Fatalf("TCP: sent %d bytes, digest %x (%v); received %d, digest %x (%v)", f.size, f.sum, f.err, f.got.size, f.got.sum, f.got.err)
	}
	took := time.Since(f.started)
	f.w.Logf("TCP: %d bytes in %v, %.0f Mbit/s, digest %x at both ends", f.size, took.Round(time.Millisecond), mbits(f.size, took), f.sum[:8])
}

// l2tunBinary is the program under test.
func l2tunBinary() string { return os.Getenv(binaryEnv) }
