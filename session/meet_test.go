package session

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// Homes are two hosts behind NATs and a hub that both dial.
type homes struct {
	*world
	hub        *host
	relay      *hub.Hub
	natA, natB *memnet.NAT
	ab, ba     *Session // of the two, without endpoints
	toHub      [2]*Session
}

// inHomes runs f with both homes connected to the hub.
func inHomes(t *testing.T, nats func(a, b *memnet.NAT), f func(t *testing.T, w *homes)) {
	inHomesWith(t, 1, func(*homes) {}, nats, f)
}

// inHomesWith is inHomes with a seed of the network's chances and hosts that have been
// prepared.
func inHomesWith(t *testing.T, seed uint64, prepare func(w *homes), nats func(a, b *memnet.NAT), f func(t *testing.T, w *homes)) {
	bubble.Test(t, func(t *testing.T) {
		w := &homes{world: &world{t: t, net: memnet.New(seed), all: true}}
		w.net.SetAll(memnet.Line{Delay: 20 * time.Millisecond})
		w.a, w.b, w.hub = w.host(1), w.host(2), w.host(9)
		w.natA, w.a.node = w.net.NAT(netip.MustParseAddr("198.51.100.1"), w.a.addr)
		w.natB, w.b.node = w.net.NAT(netip.MustParseAddr("203.0.113.1"), w.b.addr)
		nats(w.natA, w.natB)
		prepare(w)
		w.startHub()
		for _, h := range []*host{w.a, w.b} {
			h.start(nil)
		}
		defer func() {
			w.a.down()
			w.b.down()
			w.stopHub()
			time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
		}()
		w.join()
		f(t, w)
	})
}

// start makes a manager on the host's node.
func (h *host) start(r Relay) {
	h.w.t.Helper()
	c := Config{Identity: h.id, Network: h.node, Resolver: h.dir, Relay: r,
		Logger: slog.New(slog.NewTextHandler(testLog{h.w.t}, &slog.HandlerOptions{Level: slog.LevelDebug})).With("host", h.addr.Addr().As4()[3])}
	if h.dev != nil {
		h.data = datapath.New(h.dev)
		h.node.Handle(h.data)
		c.Table = h.data
		c.Planes = func(sink link.Sink, limits link.QueueLimits) link.Plane { return h.data.NewPeer(limits, sink) }
	}
	m, err := New(c)
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.m = m
}

func (w *homes) startHub() {
	w.hub.node = w.net.Node(w.hub.addr)
	w.relay = hub.New(hub.Config{Mode: relay.Peers, Labels: lateLabels{w}, Guard: guard.New(slog.New(slog.DiscardHandler)),
		Draw:   func() relay.Label { return relay.Label(w.hub.m.DrawLabel()) },
		Send:   func(to relay.DID, frame []byte) bool { return w.hub.m.SendFrame(to, frame) },
		AtHome: func(peer relay.DID, at bool) { w.hub.m.AtHome(peer, at) }})
	w.hub.start(w.relay)
	for _, h := range []*host{w.a, w.b} {
		w.hub.peer(h, false, Settings{})
	}
}

func (w *homes) stopHub() {
	w.hub.crash()
	w.relay.Close()
}

// lateLabels are those of the hub's table, which is there once its manager is.
type lateLabels struct{ w *homes }

func (l lateLabels) PutLabel(label wire.RecordID, r link.DatagramReceiver) error {
	return l.w.hub.m.c.Table.PutLabel(label, r)
}

func (l lateLabels) DeleteLabel(label wire.RecordID) { l.w.hub.m.c.Table.DeleteLabel(label) }

// join brings both homes to the hub, and makes them peers of each other.
func (w *homes) join() {
	w.t.Helper()
	for i, h := range []*host{w.a, w.b} {
		h.dir.Set(w.hub.id.DID(), w.hub.addr.String())
		s, err := h.m.Add(Peer{DID: w.hub.id.DID(), Keep: true, Hub: true})
		if err != nil {
			w.t.Fatal(err)
		}
		w.toHub[i] = s
		w.want(s, Established, 2*time.Second)
	}
	w.ab, w.ba = w.a.peer(w.b, false, Settings{}), w.b.peer(w.a, false, Settings{})
	time.Sleep(2 * time.Second) // direct to the hub is proven
}

// on waits until both ends send by a carrier.
func (w *homes) on(carrier string, within time.Duration) time.Duration {
	w.t.Helper()
	start := time.Now()
	for w.ab.Status().Carrier != carrier || w.ba.Status().Carrier != carrier {
		if time.Since(start) > within {
			w.t.Fatalf("after %v: %q (%s) and %q (%s), want %s\n%v\n%v", within, w.ab.Status().Carrier, w.ab.Status().WhyNotDirect,
				w.ba.Status().Carrier, w.ba.Status().WhyNotDirect, carrier, w.ab.policy(), w.ba.policy())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(start)
}

// policy prints what the path machine thinks.
func (s *Session) policy() (text string) {
	s.call(func(time.Time) error { text = s.loop.paths.String(); return nil })
	return text
}

func plain(a, b *memnet.NAT) {}

// Two homes with only a hub in common have a session through it at once, and a direct
// one a moment later. Nothing of the circuit stays.
func TestTwoHomesMeetThroughAHub(t *testing.T) {
	inHomes(t, plain, func(t *testing.T, w *homes) {
		start := time.Now()
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		t.Log("established after", time.Since(start))
		w.on("direct", 3*time.Second)
		t.Log("direct after", time.Since(start))
		st := w.ab.Status()
		if st.WhyNotDirect != "" || !st.Through.IsZero() || st.Endpoint != netip.MustParseAddrPort("203.0.113.1:4242") {
			t.Errorf("%+v", st)
		}
		time.Sleep(3 * time.Minute)
		w.on("direct", 0)
		if c := w.relay.Status(); c.Circuits > 1 {
			t.Errorf("%+v", c)
		}
	})
}

// pings checks that probes of both ends come back within a second, by a carrier.
func (w *homes) pings(carrier string) {
	w.t.Helper()
	for _, s := range []*Session{w.ab, w.ba} {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		pong, err := s.Ping(ctx)
		if cancel(); err != nil || pong.Carrier != carrier {
			w.t.Fatalf("%+v, %v\n%s", pong, err, s.policy())
		}
	}
}

func symmetric(a, b *memnet.NAT) { a.Symmetric, b.Symmetric = true, true }

// Behind NATs that cannot be opened the circuit carries the session, records and
// messages, across rotations, and status says by whom and why.
func TestSymmetricHomesStayOnTheCircuit(t *testing.T) {
	inHomes(t, symmetric, func(t *testing.T, w *homes) {
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.on("circuit", time.Second)
		for range 30 {
			w.pings("circuit")
			time.Sleep(10 * time.Second)
		}
		w.on("circuit", 0)
		if err := w.ab.Send(t.Context(), []byte("by the circuit")); err != nil {
			t.Fatal(err)
		}
		if m, err := w.ba.Receive(t.Context()); err != nil || string(m) != "by the circuit" {
			t.Fatalf("%q, %v", m, err)
		}
		st := w.ba.Status()
		if st.Through != w.hub.id.DID() || st.WhyNotDirect == "" || st.Endpoint.IsValid() || st.Epoch < 2 || st.Seen.IsValid() {
			t.Errorf("%+v", st)
		}
	})
}

// Careless NATs keep an early packet against the two. They meet in every order, also if
// both ask at once, and again after the NATs have forgotten.
func TestCarelessHomesMeetInEveryOrder(t *testing.T) {
	for name, start := range map[string]func(w *homes){
		"the first":  func(w *homes) { w.ab.wake(wakeWanted) },
		"the second": func(w *homes) { w.ba.wake(wakeWanted) },
		"both":       func(w *homes) { w.ab.wake(wakeWanted); w.ba.wake(wakeWanted) },
		"one a moment later": func(w *homes) {
			w.ab.wake(wakeWanted)
			time.Sleep(30 * time.Millisecond)
			w.ba.wake(wakeWanted)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inHomes(t, careless, func(t *testing.T, w *homes) {
				start(w)
				w.on("direct", 3*time.Second)
				w.pings("direct")
				w.natA.Forget()
				w.natB.Forget()
				time.Sleep(2 * time.Minute) // the second meeting, after the silence, counts
				w.on("direct", 0)
				w.pings("direct")
			})
		})
	}
}

// A node that starts dials the endpoint of a peer before it has reached its hub: what the
// hub opens a moment later is dialled at once, and not when that dial has failed.
func TestAHubThatComesWhileAnEndpointIsDialled(t *testing.T) {
	inHomes(t, plain, func(t *testing.T, w *homes) {
		hub, peer := w.hub.id.DID(), w.b.id.DID()
		if err := errors.Join(w.a.m.Remove(hub), w.a.m.Remove(peer)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		w.a.dir.Set(peer, "192.0.2.77:4242") // nobody answers there
		add := func(p Peer) *Session {
			s, err := w.a.m.Add(p)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		w.ab = add(Peer{DID: peer, Keep: true})
		add(Peer{DID: hub, Keep: true, Hub: true})
		took := w.on("direct", 10*time.Second)
		if took > 4*time.Second {
			t.Errorf("direct after %v", took)
		}
	})
}

// The hub restarts under a session that has only the circuit: it is back at once.
func TestHubRestartsUnderACircuit(t *testing.T) {
	inHomes(t, symmetric, func(t *testing.T, w *homes) {
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.on("circuit", time.Second)
		time.Sleep(time.Minute)
		w.stopHub()
		time.Sleep(2 * time.Second)
		w.startHub()
		for _, s := range w.toHub {
			w.want(s, Established, 40*time.Second)
		}
		w.on("circuit", 3*time.Second)
		w.pings("circuit")
	})
}

// Without the hub a direct session goes on; one by the circuit is degraded.
func TestHubIsLost(t *testing.T) {
	inHomes(t, plain, func(t *testing.T, w *homes) {
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.on("direct", 3*time.Second)
		w.hub.node.Kill()
		time.Sleep(10 * time.Minute)
		w.on("direct", 0)
		w.pings("direct")
	})
}

// A peer that is not at the hub is not found, and the session says so and goes on trying.
func TestPeerIsNotAtTheHub(t *testing.T) {
	inHomes(t, plain, func(t *testing.T, w *homes) {
		w.b.m.Close()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := w.a.m.Establish(ctx, w.b.id.DID()); !errors.Is(err, ErrFailed) {
			t.Errorf("%v", err)
		}
		w.b.start(nil)
		s, err := w.b.m.Add(Peer{DID: w.hub.id.DID(), Keep: true, Hub: true})
		if err != nil {
			t.Fatal(err)
		}
		w.ba = w.b.peer(w.a, false, Settings{})
		w.want(s, Established, 40*time.Second)
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.on("direct", 10*time.Second)
	})
}

// A peer of the version before neither asks hubs nor is asked: whoever can be dialled
// has a session as before.
func TestPeerWithoutCircuits(t *testing.T) {
	inHomes(t, plain, func(t *testing.T, w *homes) {
		old := w.host(7)
		old.node = w.net.Node(old.addr)
		old.start(nil)
		defer old.down()
		old.m.states.Circuits, old.m.states.Minor = false, 0
		s := w.a.peer(old, true, Settings{})
		back := old.peer(w.a, false, Settings{})
		w.want(s, Established, 2*time.Second)
		time.Sleep(5 * time.Minute)
		if s.Status().Carrier != "direct" || back.Status().Carrier != "direct" || malformed(back) != 0 {
			t.Errorf("%+v and %+v", s.Status(), back.Status())
		}
	})
}

// A home moves behind another NAT with another address: traffic goes on by the circuit
// or directly within seconds, and ends up direct.
func TestHomeRoams(t *testing.T) {
	inHomes(t, plain, func(t *testing.T, w *homes) {
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.on("direct", 3*time.Second)
		time.Sleep(3 * time.Minute) // the circuit has ended
		w.net.Roam(w.a.node, netip.MustParseAddr("192.0.2.77"))
		w.a.m.NetworkChanged()
		time.Sleep(30 * time.Second)
		w.pings(w.ab.Status().Carrier)
		w.on("direct", time.Minute)
		w.pings("direct")
	})
}
