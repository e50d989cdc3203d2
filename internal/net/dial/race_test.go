package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// A network answers dials as a test says and notes when they began.
type network struct {
	link.Network
	names map[string]name
	bad   map[netip.AddrPort]error
	takes time.Duration // a dial; negative: until it is given up

	mu     sync.Mutex
	start  time.Time
	began  []string
	opened []*conn
}

type name struct {
	after time.Duration
	at    []netip.AddrPort
}

func newNetwork() *network { return &network{start: time.Now(), takes: 10 * time.Millisecond} }

func (n *network) Resolve(ctx context.Context, endpoint string) ([]netip.AddrPort, error) {
	if x, ok := n.names[endpoint]; ok {
		await(ctx, nil, x.after)
		if ctx.Err() != nil || len(x.at) == 0 {
			return nil, &net.DNSError{Err: "no answer", Name: endpoint}
		}
		return x.at, nil
	}
	a, err := netip.ParseAddrPort(endpoint)
	return []netip.AddrPort{a}, err
}

func (n *network) Check(remote netip.AddrPort) error { return n.bad[remote] }

func (n *network) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	n.mu.Lock()
	n.began = append(n.began, fmt.Sprint(time.Since(n.start), " ", l, " ", remote))
	n.mu.Unlock()
	if n.takes < 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	await(ctx, nil, n.takes)
	c := &conn{kind: l, remote: remote, done: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.opened = append(n.opened, c)
	return c, nil
}

type conn struct {
	link.Conn
	kind   wire.Link
	remote netip.AddrPort
	done   chan struct{}
	closed string
}

func (c *conn) Link() wire.Link        { return c.kind }
func (c *conn) Remote() netip.AddrPort { return c.remote }
func (c *conn) Done() <-chan struct{}  { return c.done }
func (c *conn) Close(why string) error { c.closed = why; return nil }

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func (n *network) wantDials(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(n.began)
	slices.Sort(want)
	if !slices.Equal(n.began, want) {
		t.Errorf("dials %q, want %q", n.began, want)
	}
}

var both = []wire.Link{wire.LinkQUIC, wire.LinkUTCP}

// SPEC 6.10: each remote begins 300 ms after the one before, each over QUIC at once
// and over μTCP a second later; what was heard comes last, nothing twice.
func TestTurns(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.takes = -1
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r := Race{Network: n, Links: both}
		failed := 0
		for d := range r.Connections(ctx, []string{"10.0.0.1:1", "10.0.0.2:1"}, []netip.AddrPort{at("10.0.0.2:1"), {}, at("10.0.0.3:1")}) {
			if d.Err == nil {
				t.Error("a connection")
			}
			failed++
		}
		n.wantDials(t, "0s quic 10.0.0.1:1", "300ms quic 10.0.0.2:1", "600ms quic 10.0.0.3:1",
			"1s utcp 10.0.0.1:1", "1.3s utcp 10.0.0.2:1", "1.6s utcp 10.0.0.3:1")
		if failed != 6 || r.Remotes() != 3 || !r.Others() {
			t.Errorf("%d failures, %d remotes", failed, r.Remotes())
		}
	})
}

func TestOneLinkHasNoHeadStart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNetwork()
		r := Race{Network: n, Links: []wire.Link{wire.LinkUTCP}}
		for range r.Connections(t.Context(), []string{"10.0.0.1:1"}, nil) {
		}
		n.wantDials(t, "0s utcp 10.0.0.1:1")
		if r.Others() {
			t.Error("one way is not the only one")
		}
	})
}

func TestHurryEndsTheHeadStart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.takes = -1
		hurry := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		time.AfterFunc(200*time.Millisecond, func() { close(hurry) })
		for range (&Race{Network: n, Links: both, Hurry: hurry}).Connections(ctx, []string{"10.0.0.1:1"}, nil) {
		}
		n.wantDials(t, "0s quic 10.0.0.1:1", "200ms utcp 10.0.0.1:1")
	})
}

// RFC 8305 section 3: a name that answers soon keeps its place, a slow one delays
// the next endpoint by 50 ms, and its addresses come when they are there.
func TestNames(t *testing.T) {
	for after, want := range map[time.Duration][]string{
		20 * time.Millisecond: {"20ms quic 10.0.0.1:1", "320ms quic 10.0.0.2:1"},
		time.Second:           {"50ms quic 10.0.0.2:1", "1s quic 10.0.0.1:1"},
	} {
		bubble.Test(t, func(t *testing.T) {
			n := newNetwork()
			n.names = map[string]name{"a.example:1": {after, []netip.AddrPort{at("10.0.0.1:1")}}}
			for range (&Race{Network: n, Links: both[:1]}).Connections(t.Context(), []string{"a.example:1", "10.0.0.2:1"}, nil) {
			}
			n.wantDials(t, want...)
		})
	}
}

// What cannot be tried is said, with its kind, and takes no turn.
func TestObstacles(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.names = map[string]name{"a.example:1": {}}
		n.bad = map[netip.AddrPort]error{at("10.0.0.1:1"): link.ErrOwnAddress, at("10.0.0.2:1"): link.ErrNoRoute, at("10.0.0.4:1"): errors.New("other")}
		got := make(map[ObstacleKind]string)
		for d := range (&Race{Network: n, Links: both[:1]}).Connections(t.Context(), []string{"a.example:1", "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"}, nil) {
			if o := new(Obstacle); errors.As(d.Err, &o) {
				got[o.Kind] = o.Endpoint
			}
		}
		n.wantDials(t, "0s quic 10.0.0.3:1", "300ms quic 10.0.0.4:1")
		if len(got) != 3 || got[Unresolvable] != "a.example:1" || got[OwnAddress] != "10.0.0.1:1" || got[NoRoute] != "10.0.0.2:1" {
			t.Errorf("%v", got)
		}
	})
}

// begun notes its end.
type begun struct{ ended bool }

func (b *begun) Close() { b.ended = true }

// Who has taken a connection gets no other: those that come are closed, with what
// was begun on them, and nothing is under way when the loop ends.
func TestLosersAreClosed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := newNetwork()
		var began []*begun
		var mu sync.Mutex
		r := Race{Network: n, Links: both[:1], Dial: func(_ context.Context, l wire.Link, remote netip.AddrPort) Dialed {
			c, err := n.Dial(context.Background(), l, remote) // does not hear of the end
			b := new(begun)
			mu.Lock()
			defer mu.Unlock()
			began = append(began, b)
			return Dialed{Conn: c, Err: err, Begun: b}
		}}
		var won Dialed
		n.takes = 310 * time.Millisecond // the second dial is under way when the first is done
		for won = range r.Connections(t.Context(), []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"}, nil) {
			break
		}
		n.wantDials(t, "0s quic 10.0.0.1:1", "300ms quic 10.0.0.2:1")
		for i, c := range n.opened {
			if lost := c != won.Conn; lost != (c.closed != "") || lost != began[i].ended {
				t.Errorf("%v: closed %q, won %v", c.remote, c.closed, !lost)
			}
		}
		if took := time.Since(n.start); took != 610*time.Millisecond {
			t.Errorf("the loop ended after %v", took)
		}
	})
}

// SPEC 3.6: an acceptor of TCP ends a connection that says nothing for 1 s, and the
// dialler's handshake over QUIC may take 3 s before its turn comes.
func TestAConnectionThatLapsedIsDialledAgain(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	for name, c := range map[string]struct {
		conn *conn
		want int
	}{
		"ended":       {&conn{kind: wire.LinkUTCP, done: ended}, 1},
		"alive":       {&conn{kind: wire.LinkUTCP, done: make(chan struct{})}, 0},
		"ended, QUIC": {&conn{kind: wire.LinkQUIC, done: ended}, 0},
	} {
		n := newNetwork()
		d := (&Race{Network: n}).fresh(t.Context(), Dialed{Conn: c.conn})
		if len(n.began) != c.want || (d.Conn == c.conn) != (c.want == 0) || d.Err != nil {
			t.Errorf("%s: %d dials", name, len(n.began))
		}
	}
}
