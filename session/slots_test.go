package session

import (
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// instants are times at which something came, those within 100 ms of one another once.
type instants struct {
	mu   sync.Mutex
	last time.Time
	n    int
}

func (x *instants) note(now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if now.Sub(x.last) > 100*time.Millisecond {
		x.n++
	}
	x.last = now
}

func (x *instants) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.n
}

// A noted network says when records come, and by which path.
type noted struct {
	*memnet.Node
	came func(from link.Path)
}

type notes struct {
	link.Handler
	came func(from link.Path)
}

func (n *noted) Handle(h link.Handler) { n.Node.Handle(notes{h, n.came}) }

func (n notes) Records(from link.Path, recs [][]byte) {
	n.came(from)
	n.Handler.Records(from, recs)
}

// A node with many sessions that rest wakes up for heartbeats, probes and rotations of all
// of them together, and one with few sends them as they are due.
func TestManySessionsWakeANodeTogether(t *testing.T) {
	const watch = 20 * time.Minute
	for _, c := range []struct {
		name            string
		peers           int
		atLeast, atMost int // instants
	}{
		{"few", 4, int(4 * watch / (31 * time.Second)), 1 << 20},
		{"many", 40, int(watch / (31 * time.Second)), 550},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				crowd := newCrowd(t, c.peers)
				crowd.net.SetAll(memnet.Line{Delay: 5 * time.Millisecond})
				var came instants
				hub := crowd.hub
				hub.node = crowd.net.Node(hub.addr)
				m, err := New(Config{Identity: hub.id, Network: &noted{hub.node, func(link.Path) { came.note(time.Now()) }}, Resolver: hub.dir})
				if err != nil {
					t.Fatal(err)
				}
				hub.m = m
				defer time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
				defer hub.crash()
				defer crowd.leave()
				for i, h := range crowd.all {
					crowd.starts(h, nil)
					h.peer(hub, false, Settings{IdleAfter: 24 * time.Hour})
					hub.peer(h, true, Settings{IdleAfter: 24 * time.Hour})
					time.Sleep(time.Duration(700+i*13) * time.Millisecond) // each at a time of its own
				}
				time.Sleep(10 * time.Minute) // what follows a handshake is over
				before := came.count()
				time.Sleep(watch)
				n := came.count() - before
				t.Logf("%d instants in %v", n, watch)
				if n < c.atLeast || n > c.atMost {
					t.Errorf("%d sessions: records came at %d instants in %v, want %d to %d", c.peers, n, watch, c.atLeast, c.atMost)
				}
				for _, s := range m.Sessions() {
					if st := s.State(); st != Established && st != Rotating {
						t.Errorf("%v is %v", s.DID(), st)
					}
				}
			})
		})
	}
}
