package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// deadName never gets an answer from its name server.
var deadName = map[string]memnet.Name{"home.example:4242": {After: time.Hour}}

// An endpoint whose name server does not answer delays neither the next endpoint
// nor the address where the peer was heard last (SPEC 6.10, RFC 8305).
func TestDeadNameDelaysNoOtherEndpoint(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.a.node.Hosts.Names = deadName
		w.b.peer(w.a, false, Settings{})
		w.a.dir.Set(w.b.id.DID(), "home.example:4242", w.b.addr.String())
		s, err := w.a.m.Add(Peer{DID: w.b.id.DID(), Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("second endpoint: up after %v", w.want(s, Established, 500*time.Millisecond))

		w.a.dir.Set(w.b.id.DID(), "home.example:4242")
		w.b.crash()
		w.want(s, Degraded, 2*time.Minute)
		w.b.up()
		w.b.peer(w.a, false, Settings{})
		t.Logf("last heard address: up after %v", w.want(s, Established, 15*time.Second))
	})
}

// A name that is there after a moment keeps its place before what follows it.
func TestQuickNameComesFirst(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := w.host(3)
		c.up()
		defer c.down()
		w.a.node.Hosts.Names = map[string]memnet.Name{"b.example:4242": {After: 20 * time.Millisecond, At: []netip.AddrPort{w.b.addr}}}
		w.b.peer(w.a, false, Settings{})
		w.a.dir.Set(w.b.id.DID(), "b.example:4242", c.addr.String()) // another node is at the second
		s, err := w.a.m.Add(Peer{DID: w.b.id.DID(), Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		w.want(s, Established, 500*time.Millisecond)
	})
}

// What keeps this host from even trying an endpoint is said, endpoint by endpoint,
// and goes once the session is up.
func TestObstaclesAreKnown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		own, far := netip.MustParseAddrPort("172.17.0.1:4242"), netip.MustParseAddrPort("192.0.2.10:4242")
		w.a.node.Hosts = memnet.Hosts{Names: map[string]memnet.Name{"home.example:4242": {}},
			Bad: map[netip.AddrPort]error{own: link.ErrOwnAddress, far: link.ErrNoRoute}}
		w.b.peer(w.a, false, Settings{})
		w.a.dir.Set(w.b.id.DID(), "home.example:4242", own.String(), far.String())
		s, err := w.a.m.Add(Peer{DID: w.b.id.DID(), Keep: true})
		if err != nil {
			t.Fatal(err)
		}
		w.want(s, Failed, time.Second) // at once: there is nothing to wait for
		st := s.Status()
		got := make(map[ObstacleKind]string)
		for _, o := range st.Trouble.Obstacles {
			got[o.Kind] = o.Endpoint
		}
		if st.Reason != ReasonTransport || len(st.Trouble.Obstacles) != 3 || got[Unresolvable] != "home.example:4242" ||
			got[OwnAddress] != own.String() || got[NoRoute] != far.String() {
			t.Fatalf("%s: %+v", st.Reason, st.Trouble.Obstacles)
		}
		w.a.dir.Set(w.b.id.DID(), own.String(), w.b.addr.String())
		w.want(s, Established, 15*time.Second) // the next one is tried
		if o := s.Status().Trouble.Obstacles; len(o) != 0 {
			t.Errorf("established with obstacles %v", o)
		}
	})
}
