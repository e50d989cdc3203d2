package session

import (
	"bytes"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
	"github.com/libertaria-project/l2tun/test/tuntest"
)

// A world is two nodes on a network in memory, in virtual time.
type world struct {
	t    testing.TB
	net  *memnet.Net
	a, b *host
	all  bool // carriers; else datagram only
}

// A host is one node: what a program has of l2tun, without a TUN device.
type host struct {
	w    *world
	id   *did.Identity
	addr netip.AddrPort
	node *memnet.Node
	m    *Manager
	dir  *did.Static

	joins    Joins    // who answers joins
	memory   Memory   // of its peers; outlives the node
	networks Networks // nil: it is in none

	dev  *tuntest.Channel   // nil: packets are not carried
	data *datapath.Datapath // over it
}

// inWorld runs f in a synctest bubble with both hosts up and nobody dialling.
func inWorld(t *testing.T, f func(t *testing.T, w *world)) { inWorldOf(t, false, f) }

// withAllCarriers is inWorld with direct and μTCP as well.
func withAllCarriers(t *testing.T, f func(t *testing.T, w *world)) { inWorldOf(t, true, f) }

func inWorldOf(t *testing.T, all bool, f func(t *testing.T, w *world)) {
	bubble.Test(t, func(t *testing.T) {
		w := &world{t: t, net: memnet.New(1), all: all}
		w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond})
		w.a, w.b = w.host(1), w.host(2)
		w.a.up()
		w.b.up()
		defer func() {
			w.a.down()
			w.b.down()
			time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
		}()
		f(t, w)
	})
}

func (w *world) host(n byte) *host {
	id, err := did.NewIdentity(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		w.t.Fatal(err)
	}
	return &host{w: w, id: id, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 4242), dir: new(did.Static)}
}

func (h *host) up() {
	h.w.t.Helper()
	off := []*link.Kind{link.KindDirect, link.KindUTCP}
	if h.w.all {
		off = nil
	}
	h.node = h.w.net.Node(h.addr, off...)
	m, err := New(Config{Identity: h.id, Network: h.node, Resolver: h.dir, Joins: h.joins, Memory: h.memory, Networks: h.networks, Logger: slog.New(slog.NewTextHandler(testLog{h.w.t}, nil))})
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.m = m
}

func (h *host) down() {
	h.m.Close()
	h.node.Kill()
}

// crash ends the host as kill -9 does: the peer is told nothing.
func (h *host) crash() {
	h.node.Kill()
	h.m.Close()
}

// peer configures other as a peer; with dial its endpoint is known and kept up.
func (h *host) peer(other *host, dial bool, set Settings) *Session {
	h.w.t.Helper()
	if dial {
		h.dir.Set(other.id.DID(), other.addr.String())
	}
	s, err := h.m.Add(Peer{DID: other.id.DID(), Settings: set, Keep: dial})
	if err != nil {
		h.w.t.Fatal(err)
	}
	return s
}

// want waits until s is in a state, at most for the virtual time given, and
// returns how long it took.
func (w *world) want(s *Session, state State, within time.Duration) time.Duration {
	w.t.Helper()
	start := time.Now()
	for s.State() != state {
		if time.Since(start) > within {
			w.t.Fatalf("state is %v after %v, want %v (reason %q)", s.State(), within, state, s.Status().Reason)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(start)
}

// stays checks that s keeps a state for a virtual time.
func (w *world) stays(s *Session, state State, d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if s.State() != state {
			w.t.Fatalf("state is %v, want %v for %v", s.State(), state, d)
		}
	}
}

// up checks that records flow, rotating or not, for a virtual time.
func (w *world) up(s *Session, d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if st := s.State(); st != Established && st != Rotating {
			w.t.Fatalf("state is %v (reason %q)", st, s.Status().Reason)
		}
	}
}

// cut makes both directions drop everything, or lets them pass again.
func (w *world) cut(yes bool) { w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond, Cut: yes}) }

// testLog sends log lines to the test while it runs.
type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	if testing.Verbose() {
		l.t.Log(string(bytes.TrimSpace(b)))
	}
	return len(b), nil
}

var _ io.Writer = testLog{}
