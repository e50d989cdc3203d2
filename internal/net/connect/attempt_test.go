package connect

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A callee is a session that answers handshakes, without a loop.
type callee struct {
	did    did.DID
	proven chan error // what Prove was told
	refuse bool
}

func (c *callee) DID() did.DID { return c.did }

func (c *callee) Offer(h *HalfOpen) error {
	if c.refuse {
		return &handshake.RefusedError{Reason: handshake.RefusedPolicy}
	}
	h.Params = statement()
	h.Params.RecordID = wire.MakeRecordID([wire.RecordIDSize]byte{2, 2, 2, 2})
	return nil
}

func (c *callee) Install(h *HalfOpen, m2 []byte, _ *handshake.Result) error {
	h.M2, h.ID = m2, 1
	return nil
}

func (c *callee) Prove(_ *HalfOpen, _ *handshake.Result, failed error) error {
	c.proven <- failed
	return failed
}

func statement() wire.Params { return wire.Params{MTU: wire.DefaultMTU, Epoch: 1} }

// An arena is an initiator and a responder on a network in memory.
type arena struct {
	caller, answerer *memnet.Node
	self             Self
	dir              *did.Static
	callee           *callee
}

func identity(t *testing.T, n byte) Self {
	id, err := did.NewIdentity(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return Self{Identity: id, Rand: rand.Reader, ClockSynced: func() bool { return false }}
}

func inArena(t *testing.T, f func(t *testing.T, a *arena)) {
	bubble.Test(t, func(t *testing.T) {
		net := memnet.New(1)
		net.SetAll(memnet.Line{Delay: 10 * time.Millisecond})
		node := func(addr string) *memnet.Node {
			n := net.Node(netip.MustParseAddrPort(addr))
			n.Off[link.KindUTCP] = true
			return n
		}
		a := &arena{caller: node("10.0.0.1:4242"), answerer: node("10.0.0.2:4242"), self: identity(t, 1), dir: new(did.Static)}
		b := identity(t, 2)
		a.callee = &callee{did: b.Identity.DID(), proven: make(chan error, 1)}
		r, err := NewResponder(Config{Self: b, Logger: slog.New(slog.DiscardHandler), Find: func(did.DID) (Session, error) { return a.callee, nil }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for {
				conn, err := a.answerer.Accept(ctx)
				if err != nil {
					return
				}
				go r.First(ctx, conn)
			}
		}()
		f(t, a)
		cancel()
		a.caller.Kill()
		a.answerer.Kill()
		time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
	})
}

// attempt is one of the caller, which lets every proof pass.
func (a *arena) attempt() (x *Attempt, proofs *int) {
	proofs = new(int)
	x = NewAttempt(Initiator{Self: a.self, Peer: a.callee.did, Params: statement(),
		Prove: func(*Proof) error { *proofs++; return nil }})
	x.Network, x.Resolver, x.Links = a.caller, a.dir, []wire.Link{wire.LinkQUIC}
	x.Protect = func(_ string, f func()) bool { f(); return true }
	return x, proofs
}

func run(t *testing.T, x *Attempt) error {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return x.Run(ctx)
}

// Dead endpoints, obstacles and the one that answers: one handshake is made.
func TestAttemptFindsTheEndpointThatAnswers(t *testing.T) {
	inArena(t, func(t *testing.T, a *arena) {
		dead, none := netip.MustParseAddrPort("10.0.0.8:4242"), netip.MustParseAddrPort("10.0.0.9:4242")
		a.caller.Hosts.Bad = map[netip.AddrPort]error{none: link.ErrNoRoute}
		a.dir.Set(a.callee.did, none.String(), dead.String(), a.answerer.Addr().String())
		x, proofs := a.attempt()
		if err := run(t, x); err != nil || *proofs != 1 {
			t.Fatalf("%v, %d proofs", err, *proofs)
		}
		if err := <-a.callee.proven; err != nil {
			t.Errorf("the responder has %v", err)
		}
		if o := x.Obstacles(); len(o) != 1 || o[0].Kind != dial.NoRoute {
			t.Errorf("obstacles: %v", o)
		}
	})
}

// An answer "no" says more than the silence of another endpoint.
func TestAttemptReturnsTheErrorThatSaysMost(t *testing.T) {
	inArena(t, func(t *testing.T, a *arena) {
		a.callee.refuse = true
		a.dir.Set(a.callee.did, a.answerer.Addr().String(), "10.0.0.8:4242")
		x, proofs := a.attempt()
		if err := run(t, x); FailureOf(err) != Refused || *proofs != 0 {
			t.Errorf("%v, %d proofs", err, *proofs)
		}
	})
}

func TestAttemptWithoutAnEndpointSaysSo(t *testing.T) {
	inArena(t, func(t *testing.T, a *arena) {
		x, _ := a.attempt()
		if err := run(t, x); !errors.Is(err, dial.ErrNoEndpoint) {
			t.Error(err)
		}
	})
}

// Our own "no" to a proof ends the attempt: no other endpoint is asked.
func TestAttemptEndsWithOurDecision(t *testing.T) {
	inArena(t, func(t *testing.T, a *arena) {
		no := errors.New("another handshake won")
		a.dir.Set(a.callee.did, a.answerer.Addr().String())
		x, _ := a.attempt()
		proofs := 0
		x.Prove = func(*Proof) error { proofs++; return no }
		if err := run(t, x); !errors.Is(err, no) || proofs != 1 {
			t.Errorf("%v, %d proofs", err, proofs)
		}
	})
}

// A defect met in a handshake is an error of the attempt.
func TestAttemptSurvivesADefect(t *testing.T) {
	inArena(t, func(t *testing.T, a *arena) {
		a.dir.Set(a.callee.did, a.answerer.Addr().String())
		x, _ := a.attempt()
		x.Protect = func(_ string, f func()) (ok bool) {
			defer func() { ok = recover() == nil }()
			f()
			return true
		}
		x.Prove = func(*Proof) error { panic("a test") }
		if err := run(t, x); err != errAborted {
			t.Error(err)
		}
	})
}

// A watched network notes what is written on its streams, and when its connections
// are told that they are proven.
type watched struct {
	link.Network
	events *[]string
}

func (w watched) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	c, err := w.Network.Dial(ctx, l, remote)
	return watchedConn{c, w.events}, err
}

type watchedConn struct {
	link.Conn
	events *[]string
}

func (c watchedConn) Proven() { *c.events = append(*c.events, "proven") }

func (c watchedConn) OpenStream(ctx context.Context) (link.Stream, error) {
	st, err := c.Conn.OpenStream(ctx)
	return watchedStream{st, c.events}, err
}

type watchedStream struct {
	link.Stream
	events *[]string
}

func (s watchedStream) Write(b []byte) (int, error) {
	*s.events = append(*s.events, "write")
	return s.Stream.Write(b)
}

// The session decides, M3 leaves, and only then may the connection carry anything
// else.
func TestConnectionIsProvenOnceM3HasLeft(t *testing.T) {
	inArena(t, func(t *testing.T, a *arena) {
		a.dir.Set(a.callee.did, a.answerer.Addr().String())
		x, _ := a.attempt()
		var events []string
		x.Network = watched{a.caller, &events}
		x.Prove = func(*Proof) error { events = append(events, "prove"); return nil }
		if err := run(t, x); err != nil {
			t.Fatal(err)
		}
		if n := len(events); n < 3 || !slices.Equal(events[n-3:], []string{"prove", "write", "proven"}) {
			t.Errorf("%q", events)
		}
		<-a.callee.proven
	})
}
