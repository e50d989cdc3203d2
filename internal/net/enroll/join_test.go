package enroll_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A desk answers joins as a test says.
type desk struct {
	shut   bool
	asked  []did.DID
	heard  []string
	frames []byte
	answer func(request []byte) []byte // nil: the request, reversed
}

func (d *desk) Open() bool { return !d.shut }

func (d *desk) Answer(_ context.Context, asker did.DID, frame byte, request []byte) []byte {
	d.asked, d.heard, d.frames = append(d.asked, asker), append(d.heard, string(request)), append(d.frames, frame)
	if d.answer != nil {
		return d.answer(request)
	}
	said := append([]byte("you said "), request...)
	return said[:min(len(said), wire.MaxJoin)]
}

// A world is A without a desk, B with one and C, whom nobody knows, on a network in
// memory and in virtual time.
type world struct {
	t       *testing.T
	net     *memnet.Net
	a, b, c *host
	nodes   []*memnet.Node
}

// node is a node of the network, until the world ends.
func (w *world) node(at netip.AddrPort) *memnet.Node {
	n := w.net.Node(at)
	w.nodes = append(w.nodes, n)
	return n
}

// A host is one node.
type host struct {
	w      *world
	id     *did.Identity
	addr   netip.AddrPort
	dir    *did.Static
	m      *session.Manager
	guests int // networks that joins were asked over
}

func withDesk(t *testing.T, f func(t *testing.T, w *world, d *desk, c *host)) {
	bubble.Test(t, func(t *testing.T) {
		w, d := &world{t: t, net: memnet.New(1)}, new(desk)
		w.cut(false)
		w.a, w.b, w.c = w.host(1, nil), w.host(2, d), w.host(3, nil)
		f(t, w, d, w.c)
		for _, h := range []*host{w.a, w.b, w.c} {
			h.m.Close()
		}
		for _, n := range w.nodes {
			n.Kill()
		}
		time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
	})
}

func (w *world) cut(yes bool) { w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond, Cut: yes}) }

func (w *world) host(n byte, joins session.Joins) *host {
	id, err := did.NewIdentity(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		w.t.Fatal(err)
	}
	h := &host{w: w, id: id, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 4242), dir: new(did.Static)}
	if h.m, err = session.New(session.Config{Identity: id, Network: w.node(h.addr), Resolver: h.dir, Joins: joins}); err != nil {
		w.t.Fatal(err)
	}
	return h
}

// peer configures other; with dial its endpoint is known and kept up.
func (h *host) peer(other *host, dial bool) *session.Session {
	h.w.t.Helper()
	if dial {
		h.dir.Set(other.id.DID(), other.addr.String())
	}
	s, err := h.m.Add(session.Peer{DID: other.id.DID(), Keep: dial})
	if err != nil {
		h.w.t.Fatal(err)
	}
	return s
}

func (h *host) asks(other *host, request string) (string, error) {
	h.w.t.Helper()
	ctx, cancel := context.WithTimeout(h.w.t.Context(), 10*time.Second)
	defer cancel()
	got, err := enroll.Join(ctx, enroll.Ask{Identity: h.id, Network: h.guest(), Peer: other.id.DID(), Endpoints: []string{other.addr.String()}, Request: []byte(request)})
	return string(got), err
}

// guest is a network for one ask, at a host's address.
func (h *host) guest() link.Network {
	h.w.t.Helper()
	h.guests++
	return h.w.node(netip.AddrPortFrom(h.addr.Addr(), uint16(50000+h.guests)))
}

// SPEC R-6.11-2.
func TestStrangerIsHeardAtTheDesk(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		got, err := c.asks(w.b, "let me in")
		if got != "you said let me in" || err != nil {
			t.Fatal(got, err)
		}
		if len(d.asked) != 1 || d.asked[0] != c.id.DID() {
			t.Error(d.asked)
		}
		if len(w.b.m.Sessions()) != 0 || len(w.b.m.History()) != 0 {
			t.Error("joining made a session")
		}
		time.Sleep(20 * time.Second) // rates are refilled
		if _, err := c.asks(w.b, string(make([]byte, wire.MaxJoin))); err != nil {
			t.Error("the largest request:", err)
		}
		if _, err := c.asks(w.b, string(make([]byte, wire.MaxJoin+1))); err == nil {
			t.Error("a larger request left")
		}
	})
}

// A peer that asks keeps its session as it is.
// SPEC R-6.11-3.
func TestJoiningDoesNotTouchASession(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, _ *host) {
		sb := w.b.peer(w.a, false)
		sa := w.a.peer(w.b, true)
		time.Sleep(time.Second)
		before := sb.Status()
		if _, err := w.a.asks(w.b, "again"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if after := sb.Status(); sa.State() != session.Established || after.State != session.Established || after.Handshakes != before.Handshakes || after.Epoch != before.Epoch {
			t.Errorf("%+v, before %+v", after, before)
		}
	})
}

// A node that expects no join refuses it with a reason, and reads no request.
func TestJoinIsRefusedWithoutAnInvitation(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		d.shut = true
		if _, err := c.asks(w.b, "x"); !errors.Is(err, enroll.ErrNoInvitation) {
			t.Error(err)
		}
		if _, err := c.asks(w.a, "x"); !errors.Is(err, enroll.ErrNoInvitation) {
			t.Error("a node without a desk:", err)
		}
		if len(d.heard) != 0 {
			t.Error(d.heard)
		}
	})
}

// The request leaves only for the node that the asker means (SPEC 6.11).
// SPEC R-6.11-1.
func TestAnotherNodeAtTheEndpointHearsNothing(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := enroll.Join(ctx, enroll.Ask{Identity: c.id, Network: c.guest(), Peer: w.a.id.DID(), Endpoints: []string{w.b.addr.String()}, Request: []byte("secret")})
		if !errors.Is(err, handshake.ErrNotMe) || len(d.heard) != 0 {
			t.Error(err, d.heard)
		}
	})
}

func TestSilenceEndsAJoin(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		d.answer = func([]byte) []byte { return nil }
		if got, err := c.asks(w.b, "x"); err == nil {
			t.Error(got)
		}
		w.cut(true)
		start := time.Now()
		if _, err := c.asks(w.b, "x"); connect.FailureOf(err) != connect.Silent || time.Since(start) > 11*time.Second {
			t.Error(err, time.Since(start))
		}
	})
}

// From one prefix five joins are heard, then one every five seconds.
func TestJoinsAreRare(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		var refused *handshake.RefusedError
		for range 8 {
			_, err := c.asks(w.b, "guess")
			if err != nil && (!errors.As(err, &refused) || refused.Reason != handshake.RefusedBusy) {
				t.Fatal(err)
			}
		}
		if len(d.heard) != enroll.JoinBurst || refused == nil {
			t.Errorf("%d were heard", len(d.heard))
		}
		time.Sleep(6 * time.Second)
		if _, err := c.asks(w.b, "later"); err != nil {
			t.Error(err)
		}
	})
}

// A tamperer changes one byte of what the asker writes, message by message.
type tamperedStream struct {
	link.Stream
	at   int // byte of everything written
	seen int
}

func (s *tamperedStream) Write(b []byte) (int, error) {
	out := bytes.Clone(b)
	if i := s.at - s.seen; i >= 0 && i < len(out) {
		out[i] ^= 1
	}
	s.seen += len(b)
	return s.Stream.Write(out)
}

type tamperedNet struct {
	link.Network
	at int
}

type tamperedConn struct {
	link.Conn
	at int
}

func (n tamperedNet) Dial(ctx context.Context, l wire.Link, r netip.AddrPort) (link.Conn, error) {
	if l != wire.LinkUTCP { // without TLS everything rests on the handshake
		return nil, link.ErrOff
	}
	conn, err := n.Network.Dial(ctx, l, r)
	return tamperedConn{conn, n.at}, err
}

func (c tamperedConn) OpenStream(ctx context.Context) (link.Stream, error) {
	st, err := c.Conn.OpenStream(ctx)
	return &tamperedStream{Stream: st, at: c.at}, err
}

// No byte of preface, KEYS_REQ, M1, M3, length and request can be changed, and
// none of it is heard before the asker is proven (SPEC 6.11).
func TestNoByteOfAJoinCanBeChanged(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		all := len(wire.JoinPreface()) + wire.KeysReqSize + wire.M1Size + wire.M3Size + 4 + wire.Overhead + 1 + 7
		for at := 0; at < all; at += 37 {
			ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
			_, err := enroll.Join(ctx, enroll.Ask{Identity: c.id, Network: tamperedNet{c.guest(), at}, Peer: w.b.id.DID(), Endpoints: []string{w.b.addr.String()}, Request: []byte("request")})
			cancel()
			if err == nil || len(d.heard) != 0 {
				t.Fatalf("byte %d of %d: %v, heard %q", at, all, err, d.heard)
			}
			time.Sleep(10 * time.Second) // rates are refilled
		}
		// What is not changed is heard: the loop above failed for its own reason.
		if _, err := enroll.Join(t.Context(), enroll.Ask{Identity: c.id, Network: tamperedNet{c.guest(), all}, Peer: w.b.id.DID(), Endpoints: []string{w.b.addr.String()}, Request: []byte("request")}); err != nil {
			t.Error(err)
		}
	})
}

// A handshake for a session is no join, and the other way round: with the
// preface taken off, the same messages do not open (SPEC 6.11).
func TestAJoinIsNoSessionsHandshake(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		sb := w.b.peer(c, false)
		node := c.guest()
		node.Handle(enroll.Nobody{})
		conn, err := node.Dial(t.Context(), wire.LinkUTCP, w.b.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close("")
		st, err := conn.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a := &enroll.Ask{Identity: c.id, Peer: w.b.id.DID()}
		if _, _, err := a.Handshake(st, conn); !errors.Is(err, handshake.ErrDecrypt) {
			t.Error("a join's handshake without its preface:", err)
		}
		if sb.Status().Handshakes != 0 || sb.State() != session.Idle {
			t.Error(sb.State())
		}
	})
}

// What is asked is what the desk hears: a join, a deposit, a join for another node; and
// no frame that a join's stream does not have.
func TestTheDeskHearsWhatIsAsked(t *testing.T) {
	withDesk(t, func(t *testing.T, w *world, d *desk, c *host) {
		asks := func(frame byte) error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := enroll.Join(ctx, enroll.Ask{Identity: c.id, Network: c.guest(), Peer: w.b.id.DID(), Endpoints: []string{w.b.addr.String()}, Frame: frame, Request: []byte("x")})
			return err
		}
		for _, frame := range []byte{0, wire.FrameDeposit, wire.FrameJoinVia} {
			if err := asks(frame); err != nil {
				t.Error(frame, err)
			}
		}
		if !bytes.Equal(d.frames, []byte{wire.FrameJoin, wire.FrameDeposit, wire.FrameJoinVia}) {
			t.Errorf("%x", d.frames)
		}
		for _, frame := range []byte{wire.FrameJoined, 0x34, 0x45} {
			if err := asks(frame); err == nil || len(d.heard) != 3 {
				t.Errorf("%#x is heard: %v", frame, err)
			}
			time.Sleep(6 * time.Second) // rates are refilled
		}
	})
}
