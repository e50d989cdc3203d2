package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/transport/discovery"
)

func found(d did.DID, at string) discovery.Found {
	return discovery.Found{Peer: d, Endpoint: netip.MustParseAddrPort(at)}
}

func TestWhatIsFoundComesAfterWhatIsConfigured(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var p places
		bob, eve := did.FromDigest([32]byte{1}), did.FromDigest([32]byte{2})
		p.Set(bob, "bob.example:4242", "192.0.2.1:4242")
		for _, at := range []string{"192.0.2.1:4242", "[fe80::1%3]:4242"} {
			p.found.Add(found(bob, at), time.Now())
		}
		p.found.Add(found(eve, "192.0.2.9:4242"), time.Now())
		is := func(want ...string) {
			t.Helper()
			doc, err := p.Resolve(t.Context(), bob)
			if err != nil || doc.DID != bob || !slices.Equal(doc.Endpoints, want) {
				t.Errorf("%+v, %v", doc, err)
			}
		}
		is("bob.example:4242", "192.0.2.1:4242", "[fe80::1%3]:4242")
		time.Sleep(2 * time.Minute)
		is("bob.example:4242", "192.0.2.1:4242")
		if doc, err := p.Resolve(t.Context(), eve); !errors.Is(err, did.ErrUnknown) || len(doc.Endpoints) > 0 {
			t.Errorf("a node that is not configured is at %v, %v", doc.Endpoints, err)
		}
	})
}

// A peer without an endpoint is one that nothing is known of, as long as it has a session;
// who has none is unknown.
func TestPeersWithoutEndpointsAreKnownByTheirSessions(t *testing.T) {
	d := did.FromDigest([32]byte{1})
	var p places
	if _, err := p.Resolve(t.Context(), d); !errors.Is(err, did.ErrUnknown) {
		t.Error(err)
	}
	there := true
	p.known = func(did.DID) bool { return there }
	p.found.Add(discovery.Found{Peer: d, Endpoint: netip.MustParseAddrPort("192.0.2.1:4242")}, time.Now())
	if doc, err := p.Resolve(t.Context(), d); err != nil || doc.DID != d || len(doc.Endpoints) != 1 {
		t.Error(doc, err)
	}
	there = false
	if _, err := p.Resolve(t.Context(), d); !errors.Is(err, did.ErrUnknown) {
		t.Error(err)
	}
}

// finder is one on the first host, in place of its manager, with the second as a
// peer without endpoints.
func (w *world) finder(allowed ...string) (f *finder, bob *session.Session) {
	w.Helper()
	a, b := w.hosts[0], w.hosts[1]
	w.ok(a.m.Close())
	n := new(applier)
	var err error
	n.manager, err = session.New(session.Config{Identity: a.id, Network: a.node, Resolver: &n.where})
	w.ok(err)
	a.m = n.manager // closed with the world
	peer := config.Peer{DID: b.id.DID()}
	for _, p := range allowed {
		peer.AllowedIPs = append(peer.AllowedIPs, netip.MustParsePrefix(p))
	}
	n.config.Store(&config.Config{Peers: []config.Peer{peer}})
	n.where.Set(peer.DID)
	bob, err = n.manager.Add(session.Peer{DID: peer.DID})
	w.ok(err)
	b.add(a, "", false, session.Settings{})
	return &finder{use: n, log: slog.New(slog.DiscardHandler), tried: make(map[did.DID]time.Time)}, bob
}

func TestPeerThatIsFoundIsDialled(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		f, bob := w.finder()
		defer f.wg.Wait()
		if got := slices.Collect(f.lookedFor); len(got) != 1 || got[0] != (discovery.Peer{DID: bob.DID(), Wanted: true}) {
			w.Errorf("looked for: %v", got)
		}
		f.take(w.Context(), found(bob.DID(), w.hosts[1].addr.String()), time.Now())
		time.Sleep(time.Second)
		if !up(bob) {
			w.Error(bob.State())
		}
		if got := slices.Collect(f.lookedFor); got[0].Wanted {
			w.Error("wanted although it has a session")
		}
	})
}

// Nothing answers at the first endpoint; the second is tried all the same.
func TestWrongEndpointCostsAnAttempt(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		f, bob := w.finder()
		defer f.wg.Wait()
		f.take(w.Context(), found(bob.DID(), "10.0.0.99:4242"), time.Now())
		time.Sleep(10 * time.Second)
		if up(bob) {
			w.Fatal("established with nobody")
		}
		f.take(w.Context(), found(bob.DID(), w.hosts[1].addr.String()), time.Now())
		time.Sleep(time.Second)
		if !up(bob) {
			w.Error(bob.State())
		}
	})
}

func TestFindingsStartFewAttempts(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		f, bob := w.finder()
		defer f.wg.Wait()
		for i := range 1000 {
			f.take(w.Context(), found(bob.DID(), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 4242).String()), time.Now())
			time.Sleep(10 * time.Millisecond)
		}
		n := 0
		for _, tr := range f.use.manager.History() {
			if tr.To == session.HandshakeInitiated.String() {
				n++
			}
		}
		if n == 0 || n > 5 {
			w.Errorf("%d handshakes in 10 s", n)
		}
	})
}

func TestEndpointInsideThePeersOwnPrefixIsRefused(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		f, bob := w.finder("10.0.0.0/24", "fe80::/64")
		defer f.wg.Wait()
		for _, at := range []string{w.hosts[1].addr.String(), "[fe80::1%2]:4242"} {
			f.take(w.Context(), found(bob.DID(), at), time.Now())
		}
		time.Sleep(5 * time.Second)
		doc, err := f.use.where.Resolve(w.Context(), bob.DID())
		if err != nil || len(doc.Endpoints) > 0 || bob.State() != session.Idle {
			w.Errorf("%v, %v, %v", doc.Endpoints, bob.State(), err)
		}
	})
}

func TestFindingAddsNoPeer(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		f, _ := w.finder()
		defer f.wg.Wait()
		stranger := w.hosts[2]
		f.take(w.Context(), found(stranger.id.DID(), stranger.addr.String()), time.Now())
		f.establish(w.Context(), stranger.id.DID())
		if s, err := f.use.manager.Session(stranger.id.DID()); !errors.Is(err, session.ErrUnknownPeer) {
			w.Errorf("%v, %v", s, err)
		}
	})
}

func TestFinderTakesWhatItIsGivenUntilItsEnd(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		f, bob := w.finder()
		f.found = make(chan discovery.Found, 1)
		ctx, cancel := context.WithCancel(w.Context())
		f.wg.Go(func() { f.run(ctx) })
		for range 10 { // more than it has room for
			f.put(found(bob.DID(), w.hosts[1].addr.String()))
		}
		time.Sleep(time.Second)
		if !up(bob) {
			w.Error(bob.State())
		}
		cancel()
		f.wg.Wait()
	})
}
