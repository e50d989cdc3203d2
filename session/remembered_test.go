package session

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
)

// A notebook is a Memory.
type notebook struct {
	mu   sync.Mutex
	at   map[did.DID][]netip.AddrPort
	keys map[did.DID][]byte
}

func newNotebook() *notebook {
	return &notebook{at: make(map[did.DID][]netip.AddrPort), keys: make(map[did.DID][]byte)}
}

func (n *notebook) Addresses(peer did.DID) []netip.AddrPort {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.at[peer]
}

func (n *notebook) Reached(peer did.DID, at netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at[peer] = []netip.AddrPort{at}
}

func (n *notebook) Keys(peer did.DID, now time.Time) *handshake.PeerKeys {
	n.mu.Lock()
	defer n.mu.Unlock()
	keys, err := handshake.ParsePeerKeys(peer, n.keys[peer], now)
	if err != nil {
		return nil
	}
	return keys
}

// text is what is noted of a peer's keys once all that runs has run.
func (n *notebook) text(peer did.DID) string {
	time.Sleep(time.Millisecond)
	n.mu.Lock()
	defer n.mu.Unlock()
	return string(n.keys[peer])
}

func (n *notebook) Fetched(peer did.DID, keys []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keys[peer] = keys
}

// A learns where B is when B dials. Then both start again and nobody's endpoint is
// configured: A finds B where it was, and without a memory nobody does.
func TestPeerIsFoundWhereItWasInAnEarlierProcess(t *testing.T) {
	for _, remembers := range []bool{true, false} {
		withAllCarriers(t, func(t *testing.T, w *world) {
			n := newNotebook()
			w.a.down()
			w.a.memory = n
			w.a.up()
			w.want(w.a.peer(w.b, false, Settings{}), Idle, 0)
			w.want(w.b.peer(w.a, true, Settings{}), Established, 2*time.Second)
			time.Sleep(time.Second)
			if got := n.Addresses(w.b.id.DID()); len(got) != 1 || got[0] != w.b.addr {
				t.Fatalf("B is at %v, A remembers %v", w.b.addr, got)
			}
			w.a.crash()
			w.b.crash()
			if !remembers {
				w.a.memory = newNotebook()
			}
			w.b.dir = new(did.Static)
			w.a.up()
			w.b.up()
			w.b.peer(w.a, false, Settings{})
			s := w.a.peer(w.b, false, Settings{})
			if remembers {
				if at := s.Status().Endpoint; at.IsValid() {
					t.Errorf("a session that was not started shows %v", at)
				}
				s.wake(wakeWanted)
				w.want(s, Established, time.Second)
				return
			}
			s.wake(wakeWanted)
			time.Sleep(time.Minute)
			if st := s.State(); st != Idle {
				t.Errorf("without a memory: %v", st)
			}
		})
	}
}

// What is remembered is a hint: somebody else at the address is not taken for the peer,
// and the peer is found at its endpoint all the same.
func TestRememberedAddressProvesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		other := w.host(3)
		other.up()
		defer other.down()
		n := newNotebook()
		n.Reached(w.b.id.DID(), other.addr)
		w.a.down()
		w.a.memory = n
		w.a.up()
		w.b.peer(w.a, false, Settings{})
		s := w.a.peer(w.b, false, Settings{})
		s.wake(wakeWanted)
		w.want(s, Failed, 20*time.Second)
		if err := w.a.m.Remove(w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		w.want(w.a.peer(w.b, true, Settings{}), Established, 2*time.Second)
		time.Sleep(time.Second)
		if got := n.Addresses(w.b.id.DID()); got[0] != w.b.addr {
			t.Errorf("B is at %v, A remembers %v", w.b.addr, got)
		}
	})
}

// The keys of an earlier process save the round trip in which they are asked for; those
// of a peer that has made others since cost one, and never the handshake.
func TestRememberedKeysSaveARoundTrip(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		n := newNotebook()
		w.b.peer(w.a, false, Settings{})
		begins := func(m Memory) time.Duration {
			w.a.crash()
			time.Sleep(time.Minute)
			w.a.memory = m
			w.a.up()
			return w.want(w.a.peer(w.b, true, Settings{}), Established, 5*time.Second)
		}
		first := begins(n)
		fetched := n.text(w.b.id.DID())
		if fetched == "" {
			t.Fatal("no keys are remembered")
		}
		again, without := begins(n), begins(newNotebook())
		if saved := without - again; first-without > 2*time.Millisecond || saved < 18*time.Millisecond || saved > 22*time.Millisecond {
			t.Errorf("first %v, with keys %v, without %v; a round trip takes 20ms", first, again, without)
		}
		w.b.crash()
		w.b.up()
		w.b.peer(w.a, false, Settings{})
		// the answer that a prekey is not known waits for 20ms
		if late := begins(n); late-without > 42*time.Millisecond {
			t.Errorf("with keys of before B's restart %v, without %v", late, without)
		}
		if now := n.text(w.b.id.DID()); now == fetched {
			t.Error("the old keys are still remembered")
		}
	})
}
