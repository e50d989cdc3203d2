package slumber

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// A member counts what its node's Sleepers tell it.
type member struct {
	used           atomic.Int64
	woken, crowded atomic.Int64
	defect         bool
}

func (m *member) Wake() {
	m.woken.Add(1)
	if m.defect {
		panic("a defect")
	}
}
func (m *member) Crowded() { m.crowded.Add(1) }

// A sent is a HOME that a node has sent.
type sent struct {
	hub      sleep.DID
	lifetime time.Duration
}

// A node keeps what its Sleepers send.
type node struct {
	*Sleepers
	mu   sync.Mutex
	sent []sent
}

func start(t *testing.T, configured ...netip.AddrPort) *node {
	n := new(node)
	n.Sleepers = NewSleepers(Node{Self: sleep.DID{1}, Send: n.send,
		Addresses: meeting.Addresses{Configured: func() []netip.AddrPort { return configured }}})
	t.Cleanup(n.Close)
	return n
}

func (n *node) send(hub [32]byte, frame []byte) bool {
	h, ok := wire.ParseHome(frame)
	n.mu.Lock()
	defer n.mu.Unlock()
	if ok {
		n.sent = append(n.sent, sent{hub, h.Lifetime})
	}
	return ok
}

func (n *node) asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.sent)
}

// SPEC 6.13: of more sessions than stay awake the one that was used the longest ago is
// told, and never the one that has just begun.
func TestOfTooManyTheOldestIsTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n, all := start(t), make([]*member, maxAwake+1)
		for i := range all {
			all[i] = new(member)
			all[i].used.Store(int64(1000 + i))
		}
		all[7].used.Store(1)
		all[maxAwake].used.Store(0)
		for i, m := range all {
			n.awake(m, &m.used)
			if i == maxAwake-1 {
				synctest.Wait()
				for i, m := range all {
					if m.crowded.Load() > 0 {
						t.Fatalf("session %d is one too many of %d", i, maxAwake)
					}
				}
			}
		}
		synctest.Wait()
		for i, m := range all {
			if got := m.crowded.Load() > 0; got != (i == 7) {
				t.Errorf("session %d: told is %v", i, got)
			}
		}
		n.gone(all[7])
		n.awake(all[3], &all[3].used) // is awake already: there are not too many
		synctest.Wait()
		if all[0].crowded.Load() > 0 {
			t.Error("told although one has gone")
		}
	})
}

// Who is wanted is woken once, a burst at once and the others by and by; who is awake or
// gone by then is not.
func TestSleepersAreWokenInTurn(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n, all := start(t), make([]*member, 100)
		for i := range all {
			all[i] = new(member)
			n.Want(all[i])
			n.Want(all[i])
		}
		woken := func() (total int64) {
			synctest.Wait()
			for i, m := range all {
				if m.woken.Load() > 1 {
					t.Fatalf("session %d was woken twice", i)
				}
				total += m.woken.Load()
			}
			return total
		}
		if got := woken(); got == 0 || got == int64(len(all)) {
			t.Errorf("%d of %d woken at once", got, len(all))
		}
		n.gone(all[98])
		n.awake(all[99], &all[99].used)
		time.Sleep(time.Minute)
		if got := woken(); got != 98 || all[98].woken.Load() > 0 || all[99].woken.Load() > 0 {
			t.Errorf("%d woken", got)
		}
	})
}

// A defect that one session meets is no end of the others.
func TestADefectKeepsNobodyAsleep(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n, bad, good := start(t), &member{defect: true}, new(member)
		n.Want(bad)
		n.Want(good)
		time.Sleep(time.Minute)
		synctest.Wait()
		if bad.woken.Load() != 1 || good.woken.Load() != 1 {
			t.Errorf("woken %d and %d times", bad.woken.Load(), good.woken.Load())
		}
	})
}

// A node is at home at a hub that says so, until their session ends.
func TestAtHomeWhileTheHubSaysSo(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n, hub := start(t), sleep.DID{9}
		n.Hub(hub, true)
		synctest.Wait()
		if n.asked() != 1 || n.at(hub) {
			t.Fatalf("asked %d times, at home is %v", n.asked(), n.at(hub))
		}
		n.Answered(hub, wire.Home{Answer: true, Lifetime: time.Hour})
		synctest.Wait()
		if !n.at(hub) {
			t.Error("not at home after the answer")
		}
		n.Hub(hub, false)
		synctest.Wait()
		if n.at(hub) {
			t.Error("at home without a session")
		}
	})
}

// A node that the config says is reached needs no home.
func TestANodeThatIsReachedHasNoHome(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		n := start(t, netip.MustParseAddrPort("192.0.2.1:4242"))
		n.Hub(sleep.DID{9}, true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n.asked() > 0 || !n.reachable() {
			t.Errorf("asked %d times, reachable is %v", n.asked(), n.reachable())
		}
	})
}
