package circuit

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/transport"
)

// A node has sockets, and a table of record ids with circuits.
type node struct {
	t     testing.TB
	did   relay.DID
	net   *transport.Transport
	table frames.Planes
	*Circuits
	leg  Leg
	hub  *hub.Hub // to which its frames go
	path *Path
	came chan []byte // frames of the peer

	mu    sync.Mutex
	id    uint32 // of the meeting
	other relay.DID
	moves int
}

func listen(t testing.TB, name byte) *node {
	t.Helper()
	tr, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	n := &node{t: t, did: relay.DID{name}, net: tr, came: make(chan []byte, 16)}
	tr.Handle(&n.table)
	n.Circuits = New(Config{Labels: &n.table, Network: tr, Handler: &n.table, Rand: rand.Reader})
	return n
}

// frame takes what the hub says: that it is asked, that the circuit is there, and under
// which labels it goes on after a move.
func (n *node) frame(f []byte) {
	m, ok := wire.ParseMeet(f)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.id, n.other = m.ID, m.Other
	n.path.SendUnder(m.Label)
	answer := wire.Meet{Met: true, ID: m.ID, Other: m.Other, Label: n.path.Label()}
	if out, labels := m.Labels(); labels {
		if n.moves == 0 {
			n.moves++
			if _, err := n.path.Relabel(); err != nil {
				n.t.Error(err)
			}
		}
		answer.Label, answer.Flags, answer.Sealed = n.path.Label(), wire.MetLabels, m.Label[:]
		if out == answer.Label {
			n.moves++ // both know all
		}
	} else if m.Met {
		return
	}
	n.hub.Frame(n.did, answer.Append(nil))
}

// settled reports whether the labels of a move are known to both ends of the leg.
func (n *node) settled() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.moves > 1
}

func (n *node) Frame(_ link.Path, _ *record.Epoch, f []byte) { n.came <- bytes.Clone(f) }
func (n *node) Opened(link.Path, *record.Epoch)              {}
func (n *node) Moved(link.Path)                              {}
func (n *node) Waiting()                                     {}
func (n *node) Failed()                                      {}
func (n *node) Came()                                        {}
func (n *node) Sent()                                        {}

func within(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// meet makes a hub and two nodes with a circuit between them.
func meet(t testing.TB) (a, b, h *node, at *hub.Hub) {
	h, a, b = listen(t, 9), listen(t, 1), listen(t, 2)
	ends := map[relay.DID]*node{a.did: a, b.did: b}
	said := make(chan func(), 64)
	at = hub.New(hub.Config{Mode: relay.Peers, Rate: 1 << 40, Total: 1 << 40, Labels: &h.table, Draw: func() relay.Label { return relay.Label(h.Draw()) },
		Send: func(to relay.DID, f []byte) bool {
			f = bytes.Clone(f)
			said <- func() { ends[to].frame(f) }
			return true
		}})
	var talk sync.WaitGroup
	talk.Go(func() {
		for do := range said {
			do()
		}
	})
	t.Cleanup(func() { at.Close(); close(said); talk.Wait() })
	for _, n := range ends {
		n.hub = at
		n.leg.Set(n.net.Direct(h.net.LocalAddr()))
		n.path = n.open(t)
		at.Up(n.did, relay.Session{Standing: relay.Static, Incarnation: 1}, h.net.Direct(n.net.LocalAddr()))
	}
	m := wire.Meet{ID: 1, Other: b.did, Label: a.path.Label()}
	at.Frame(a.did, m.Append(nil))
	within(t, "both ends have a label of the hub's", func() bool { return a.path.header.Load() != 0 && b.path.header.Load() != 0 })
	return a, b, h, at
}

func (n *node) open(t testing.TB) *Path {
	t.Helper()
	p, err := n.Open([32]byte{9}, &n.leg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// epochs are the two ends of one epoch, installed at b.
func epochs(t testing.TB, b *node) *record.Epoch {
	t.Helper()
	k := record.Keys{Number: 1, Cipher: wire.AES256GCM, Send: [32]byte{1}, Recv: [32]byte{2}, SendID: b.Draw(), RecvID: idA, Circuits: true}
	send, err := record.New(k)
	if err != nil {
		t.Fatal(err)
	}
	k.Send, k.Recv, k.SendID, k.RecvID = k.Recv, k.Send, k.RecvID, k.SendID
	receive, err := record.New(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.table.New(b, link.QueueLimits{}).Install(receive, false); err != nil {
		t.Fatal(err)
	}
	return send
}

// arrives sends a frame until it comes: UDP may lose it.
func arrives(t testing.TB, e *record.Epoch, a, b *node, f []byte) {
	t.Helper()
	within(t, "a frame comes by the circuit", func() bool {
		if err := frames.Send(e, a.path, a.path.Kind().Space, f); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-b.came:
			return bytes.Equal(got, f)
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
}

// Over sockets and a hub: records and QUIC come by the circuit, and the connection goes
// on when a leg moves from UDP to TCP and all its labels change.
func TestACircuitOverSockets(t *testing.T) {
	a, b, h, at := meet(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e := epochs(t, b)
	arrives(t, e, a, b, []byte{wire.FrameHandshake, 1})

	dialled, err := a.net.Dial(ctx, wire.LinkQUIC, a.path.Remote())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := b.net.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if dialled.Remote() != a.path.Remote() || accepted.Remote() != b.path.Remote() {
		t.Errorf("from %v to %v", accepted.Remote(), dialled.Remote())
	}
	out, err := dialled.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	exchange(ctx, t, accepted, out)

	before := a.path.Label()
	tcp, err := a.net.Dial(ctx, wire.LinkUTCP, h.net.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	first, err := tcp.OpenStream(ctx) // a connection is accepted with its first message
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	atHub, err := h.net.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	link.Proven(tcp)
	link.Proven(atHub)
	a.leg.Set(tcp.Path())
	at.Path(a.did, atHub.Path())
	within(t, "the labels of the leg change", a.settled)
	if a.path.Label() == before || a.path.Remote() != dialled.Remote() {
		t.Error("the label is the same, or the address is not")
	}
	arrives(t, e, a, b, []byte{wire.FrameHandshake, 2})
	again, err := dialled.OpenStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	exchange(ctx, t, accepted, again)
	if s := at.Status(); s.Circuits != 1 {
		t.Errorf("%+v", s)
	}
	for _, n := range []*node{a, b} {
		if d := n.Stats().Dropped; d["malformed"]+d["no_quic"]+d["wrong_source"] > 0 {
			t.Errorf("dropped: %v", d)
		}
	}
}

// exchange sends a quarter of a megabyte over a stream, and has it come back.
func exchange(ctx context.Context, t testing.TB, at link.Conn, s link.Stream) {
	t.Helper()
	want := bytes.Repeat([]byte("circuit"), 256<<10/7)
	var echo sync.WaitGroup
	echo.Go(func() {
		in, err := at.AcceptStream(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.CopyN(in, in, int64(len(want))); err != nil {
			t.Error(err)
		}
	})
	echo.Go(func() {
		if _, err := s.Write(want); err != nil {
			t.Error(err)
		}
	})
	got := make([]byte, len(want))
	if n, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, %v", n, err)
	}
	echo.Wait()
	s.Close()
}
