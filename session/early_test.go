package session

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/transport"
)

// A tape is a relay of one client with a delay each way that keeps what the client
// sends.
type tape struct {
	in, up  *net.UDPConn
	mu      sync.Mutex
	client  netip.AddrPort
	stop    bool // nothing passes towards the target
	sent    []taped
	answers int // handshake packets that went back to the client
}

// A taped packet, and how many answers its sender can have known.
type taped struct {
	data    []byte
	answers int
}

func newTape(t *testing.T, target netip.AddrPort, delay time.Duration) *tape {
	in, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(anyLocal))
	if err != nil {
		t.Fatal(err)
	}
	up, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(target))
	if err != nil {
		t.Fatal(err)
	}
	r := &tape{in: in, up: up}
	t.Cleanup(func() { in.Close(); up.Close(); time.Sleep(50 * time.Millisecond) })
	go r.run(in, func(b []byte, from netip.AddrPort) {
		r.mu.Lock()
		r.client, r.sent = from, append(r.sent, taped{b, r.answers})
		stop := r.stop
		r.mu.Unlock()
		if !stop {
			time.AfterFunc(delay, func() { up.Write(b) })
		}
	})
	go r.run(up, func(b []byte, _ netip.AddrPort) {
		time.AfterFunc(delay, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if b[0]&0x80 != 0 {
				r.answers++
			}
			in.WriteToUDPAddrPort(b, r.client)
		})
	})
	return r
}

func (r *tape) run(c *net.UDPConn, f func([]byte, netip.AddrPort)) {
	for b := make([]byte, 2000); ; {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		f(bytes.Clone(b[:n]), from)
	}
}

func (r *tape) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = nil
}

// flight is what left from the first long header on, before any answer.
func (r *tape) flight() (first [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.sent {
		if p.data[0]&0x80 != 0 && p.answers == r.firstAnswers() {
			first = append(first, p.data)
		}
	}
	return first
}

func (r *tape) firstAnswers() int {
	for _, p := range r.sent {
		if p.data[0]&0x80 != 0 {
			return p.answers
		}
	}
	return 0
}

var anyLocal = netip.MustParseAddrPort("127.0.0.1:0")

// plainNetwork has no early dial.
type plainNetwork struct{ link.Network }

// realPair is two sessions over QUIC on loopback, with a tape between them.
func realPair(t *testing.T, early bool, delay time.Duration) (sa, sb *Session, r *tape, addr netip.AddrPort) {
	managers := [2]*Manager{}
	ids := [2]*did.Identity{}
	dirs := [2]*did.Static{new(did.Static), new(did.Static)}
	for i := range managers {
		id, err := did.NewIdentity(bytes.Repeat([]byte{byte(i + 1)}, 32))
		if err != nil {
			t.Fatal(err)
		}
		tr, err := transport.Listen(transport.Config{Listen: anyLocal, Carriers: transport.CarriersOf(link.KindDatagram)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		var n link.Network = tr
		if !early {
			n = plainNetwork{tr}
		}
		m, err := New(Config{Identity: id, Network: n, Resolver: dirs[i]})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		managers[i], ids[i], addr = m, id, tr.LocalAddr()
	}
	r = newTape(t, addr, delay)
	dirs[0].Set(ids[1].DID(), r.in.LocalAddr().String())
	var err error
	if sb, err = managers[1].Add(Peer{DID: ids[0].DID()}); err != nil {
		t.Fatal(err)
	}
	if sa, err = managers[0].Add(Peer{DID: ids[1].DID(), Keep: true}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, sa, Established)
	waitFor(t, sb, Established)
	return sa, sb, r, addr
}

// until waits for what has to happen, however busy the machine is; what never does ends
// the run with its name.
func until(t *testing.T, what func() string, happened func() bool) {
	t.Helper()
	for end, bounded := t.Deadline(); !happened(); time.Sleep(time.Millisecond) {
		if bounded && time.Until(end) < 5*time.Second {
			t.Fatal(what())
		}
	}
}

// waitFor waits for a state that lasts.
func waitFor(t *testing.T, s *Session, state State) {
	t.Helper()
	until(t, func() string { return fmt.Sprintf("state %v, want %v", s.State(), state) }, func() bool { return s.State() == state })
}

// streamConn is the connection of a session's ordered channels.
func streamConn(s *Session) (c link.Conn) {
	s.call(func(time.Time) error { c = s.loop.paths.StreamConn(); return nil })
	return c
}

// waitForAnother waits until a session is established over another connection. That it
// was degraded between the two may be over before anybody looks.
func waitForAnother(t *testing.T, s *Session, before link.Conn) {
	t.Helper()
	until(t, func() string { return fmt.Sprintf("no other connection; state %v", s.State()) }, func() bool {
		c := streamConn(s)
		return c != nil && c != before && s.State() == Established
	})
}

// redial loses the connection and returns how long sa took to come back.
func redial(t *testing.T, sa, sb *Session) time.Duration {
	t.Helper()
	time.Sleep(500 * time.Millisecond) // the ticket is there, the acknowledgements are out
	deaf(sb)
	a, b := streamConn(sa), streamConn(sb)
	start := time.Now()
	a.Close("lost")
	waitForAnother(t, sa, a)
	took := time.Since(start)
	waitForAnother(t, sb, b)
	return took
}

// A dial with M1r in the first flight takes one round trip less.
// SPEC R-3.4-8.
func TestEarlyDialSavesARoundTrip(t *testing.T) {
	t.Parallel()
	const oneWay = 150 * time.Millisecond // far above what a busy machine adds
	median := func(t *testing.T, early bool) time.Duration {
		sa, sb, _, _ := realPair(t, early, oneWay)
		took := make([]time.Duration, 3)
		for i := range took {
			took[i] = redial(t, sa, sb)
		}
		if sa.Status().Handshakes != 1 || sb.Status().Handshakes != 1 {
			t.Fatal("not resumed")
		}
		t.Log("early", early, took)
		slices.Sort(took)
		return took[1]
	}
	var with, without time.Duration
	t.Run("side by side", func(t *testing.T) {
		for early, to := range map[bool]*time.Duration{true: &with, false: &without} {
			t.Run(fmt.Sprint(early), func(t *testing.T) {
				t.Parallel()
				*to = median(t, early)
			})
		}
	})
	t.Logf("medians: %v with, %v without", with, without)
	if !t.Failed() && without-with < oneWay {
		t.Fatalf("%v with, %v without: no round trip of %v was saved", with, without, 2*oneWay)
	}
}

// A replayed first flight changes nothing, neither while it is answered nor later.
// SPEC R-5.1-14.
func TestReplayedFlightChangesNothing(t *testing.T) {
	t.Parallel()
	sa, sb, r, addr := realPair(t, true, 20*time.Millisecond)
	r.clear()
	redial(t, sa, sb)
	flight := r.flight()
	if len(flight) < 2 || len(flight) > 12 {
		t.Fatalf("%d packets in the first flight", len(flight))
	}
	thief, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	before, resume := sb.Status(), resumeOf(sb)
	for range 5 {
		for _, b := range flight {
			thief.Write(b)
		}
		time.Sleep(50 * time.Millisecond)
	}
	after := sb.Status()
	if after.State != before.State || after.Epoch != before.Epoch || after.Handshakes != before.Handshakes || resumeOf(sb) != resume {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	sb.call(func(time.Time) error {
		if len(sb.loop.halfOpen) != 0 || len(sb.connections()) > 2 {
			t.Errorf("%d half-open, %d connections", len(sb.loop.halfOpen), len(sb.connections()))
		}
		return nil
	})
	redial(t, sa, sb) // and the peer is as welcome as before
	faults.Report(t, "H9", true, "a first flight replayed 5 times: no state, no secret burnt")
}

// resumption is what a session can be resumed by.
type resumption struct {
	out handshake.Resume   // ours
	in  handshake.ResumeID // of the peer's
}

func resumeOf(s *Session) (r resumption) {
	s.call(func(now time.Time) error {
		r.out, _ = s.loop.keys.Secrets.Resumption(now)
		return nil
	})
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	for id, of := range s.m.resumes {
		if of == s {
			r.in = id
		}
	}
	return r
}

// A first flight that is kept from the server and sent from elsewhere, twice, is
// answered, but proves nothing: one entry, no state, and it goes away.
func TestStolenFlightIsOneEntryAndNoState(t *testing.T) {
	t.Parallel()
	sa, sb, r, addr := realPair(t, true, 20*time.Millisecond)
	time.Sleep(150 * time.Millisecond)
	deaf(sb)
	r.clear()
	r.mu.Lock()
	r.stop = true
	r.mu.Unlock()
	before, resume := sb.Status(), resumeOf(sb)
	sa.call(func(time.Time) error { sa.loop.paths.StreamConn().Close("lost"); return nil })
	waitFor(t, sa, Degraded)
	until(t, func() string { return fmt.Sprintf("%d packets in the first flight", len(r.flight())) }, func() bool { return len(r.flight()) >= 2 })
	time.Sleep(100 * time.Millisecond) // all of it
	steal := func() {
		thief, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { thief.Close() })
		for _, b := range r.flight() {
			thief.Write(b)
		}
		time.Sleep(50 * time.Millisecond)
	}
	steal()
	steal()
	until(t, func() string { return "no entry of the stolen flight" }, func() (early bool) { // a busy machine takes it late
		steal()
		sb.call(func(time.Time) error { early = sb.loop.halfOpen.early() != nil; return nil })
		return early
	})
	sb.call(func(time.Time) error {
		if len(sb.loop.halfOpen) != 1 || sb.loop.halfOpen.early() == nil || sb.loop.keys.Epochs() != 2 {
			t.Errorf("%d half-open, early %v, %d epochs", len(sb.loop.halfOpen), sb.loop.halfOpen.early() != nil, sb.loop.keys.Epochs())
		}
		return nil
	})
	after := sb.Status()
	if after.State != before.State || after.Epoch != before.Epoch || after.Handshakes != before.Handshakes || resumeOf(sb) != resume {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	r.mu.Lock()
	r.stop = false
	r.mu.Unlock()
	time.Sleep(connect.HelloTime + time.Second)
	sb.call(func(time.Time) error {
		if len(sb.loop.halfOpen) != 0 {
			t.Error("the entry stays")
		}
		return nil
	})
	waitFor(t, sa, Established)
	waitFor(t, sb, Established)
	faults.Report(t, "H9", true, "a stolen first flight sent three times: one entry for 5 s, no state")
	faults.Report(t, "H19", true, "a first flight whose handshake is never complete: its M1r is one entry, no state")
}
