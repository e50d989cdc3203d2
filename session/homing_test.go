package session

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// SPEC 6.13: a node without an endpoint asks its hub for a home, again before that ends and
// when the hub has restarted; the home of one that is away ends with its session.
func TestNodesAreAtHomeAtTheirHub(t *testing.T) {
	inHomes(t, plain, func(t *testing.T, w *homes) {
		homes := func(want int, within time.Duration) {
			t.Helper()
			for end := time.Now().Add(within); w.relay.Status().Homes != want; time.Sleep(100 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d are at home, want %d", w.relay.Status().Homes, want)
				}
			}
		}
		homes(2, 0)
		for range 60 { // beyond any lifetime that a hub gives
			time.Sleep(2 * time.Minute)
			homes(2, 0)
		}
		w.stopHub()
		time.Sleep(3 * time.Second)
		w.startHub()
		homes(2, 10*time.Second)
		w.toHub[0].Close()
		homes(1, time.Second)
	})
}

// SPEC 6.13: the session with a peer that is at home at this node does not sleep, and does
// when it is at home no more.
func TestAHubStaysAwakeForItsHomes(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		ab, ba := w.sleepy()
		w.b.m.AtHome(w.a.id.DID().Digest(), true)
		w.up(ab, 10*unused)
		w.up(ba, 0)
		w.b.m.AtHome(w.a.id.DID().Digest(), false)
		w.asleep(2*unused, ab, ba)
	})
}

// SPEC 6.13: 256 sessions that may sleep stay awake for as long as they may. With one more
// the one that was used the longest ago sleeps, by agreement as any other.
func TestOneSessionTooManySleeps(t *testing.T) {
	if bubble.Raced() || testing.Short() {
		t.Skip("the limit of 256 takes 257 handshakes: scripts/test runs it, without the race detector")
	}
	const most = 256
	withAllCarriers(t, func(t *testing.T, w *world) {
		set := Settings{IdleAfter: time.Hour}
		var here, there []*Session
		var hosts []*host
		defer func() {
			for _, h := range hosts {
				h.down()
			}
		}()
		come := func() {
			i := len(hosts)
			id, err := did.NewIdentity(append(bytes.Repeat([]byte{6}, 30), byte(i>>8), byte(i)))
			if err != nil {
				t.Fatal(err)
			}
			h := &host{w: w, id: id, dir: new(did.Static)}
			h.addr = netip.AddrPortFrom(w4(10, 2, byte(i>>8), byte(i)), 4242)
			h.up()
			hosts = append(hosts, h)
			w.a.dir.Set(id.DID(), h.addr.String())
			s, err := w.a.m.Add(Peer{DID: id.DID(), Settings: set})
			if err != nil {
				t.Fatal(err)
			}
			here, there = append(here, s), append(there, h.peer(w.a, true, set))
			w.want(s, Established, 5*time.Second)
		}
		for range most {
			come()
		}
		time.Sleep(5 * time.Minute)
		oldest := here[7]
		for _, s := range here {
			if s.State() == Idle {
				t.Fatal("one of 256 sleeps")
			}
			if s != oldest {
				if err := s.Send(t.Context(), []byte("used")); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, s := range there {
			if i != 7 {
				if _, err := s.Receive(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		come()
		w.asleep(time.Minute, oldest, there[7])
		time.Sleep(time.Minute)
		for i, s := range here {
			if asleep := s.State() == Idle; asleep != (s == oldest) {
				t.Errorf("session %d: asleep is %v", i, asleep)
			}
		}
	})
}
