package hub

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A desk is a hub in a bubble, with peers of numbers whose frames the test writes and
// reads by hand.
type desk struct {
	t      testing.TB
	h      *Hub
	labels *labels
	paths  map[int]*path

	mu    sync.Mutex
	sent  []string // what the hub has sent: "TO FRAME"
	homes map[relay.DID]bool
}

func newDesk(t testing.TB, mode relay.Mode, rate, total int64) *desk {
	d := &desk{t: t, labels: newLabels(), paths: make(map[int]*path), homes: make(map[relay.DID]bool)}
	d.h = New(Config{Mode: mode, Rate: rate, Total: total, Labels: d.labels, Draw: d.labels.draw, Guard: loud(t),
		Send: func(to relay.DID, frame []byte) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.sent = append(d.sent, fmt.Sprintf("%d %s", number(to), show(frame)))
			return true
		},
		AtHome: func(did relay.DID, at bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if at {
				d.homes[did] = true
			} else {
				delete(d.homes, did)
			}
		}})
	t.Cleanup(d.h.Close)
	return d
}

// loud fails the test for each defect that the hub recovers.
func loud(t testing.TB) *guard.Guard {
	return guard.New(slog.New(slog.NewTextHandler(failing{t}, nil)))
}

type failing struct{ t testing.TB }

func (f failing) Write(line []byte) (int, error) {
	f.t.Errorf("%s", line)
	return len(line), nil
}

func number(d relay.DID) int { return int(d[0])<<24 | int(d[1])<<16 | int(d[2])<<8 | int(d[3]) }

// up begins sessions over direct paths.
func (d *desk) up(ns ...int) {
	for _, n := range ns {
		d.paths[n] = newPath(link.KindDirect, remote(n))
		d.h.Up(did(n), static(1), d.paths[n])
	}
	synctest.Wait()
}

func static(incarnation uint64) relay.Session {
	return relay.Session{Standing: relay.Static, Incarnation: incarnation, RTT: 20 * time.Millisecond}
}

// frame brings a frame to the hub, and reports whether it was for a hub.
func (d *desk) frame(from int, f []byte) bool {
	ok := d.h.Frame(did(from), f)
	synctest.Wait()
	return ok
}

// wants compares what was sent since it was asked last.
func (d *desk) wants(lines ...string) {
	d.t.Helper()
	synctest.Wait()
	if got, want := strings.Join(d.take(), "\n"), strings.Join(lines, "\n"); got != want {
		d.t.Fatalf("sent\n%s\nwant\n%s", got, want)
	}
}

// take returns what was sent since it was asked last.
func (d *desk) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	sent := d.sent
	d.sent = nil
	return sent
}

// atHome reports whether peers are at home, nobody else being it.
func (d *desk) atHome(ns ...int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range ns {
		if !d.homes[did(n)] {
			return false
		}
	}
	return len(d.homes) == len(ns)
}

// show prints a frame in a line.
func show(f []byte) string {
	if m, ok := wire.ParseMeet(f); ok {
		name, c := "MEET", ""
		if m.Met {
			name = "MET"
		}
		for _, x := range m.Candidates.All() {
			c += " at " + x.Addr.String()
		}
		return fmt.Sprintf("%s %d other %d label %x flags %02x rtt %v%s sealed %x", name, m.ID, number(m.Other), m.Label, m.Flags, m.RTT, c, m.Sealed)
	}
	if r, ok := wire.ParseReady(f); ok {
		return fmt.Sprintf("READY %d caller %d", r.ID, number(r.Caller))
	}
	if n, ok := wire.ParseNotMet(f); ok {
		return fmt.Sprintf("NOT_MET %d caller %d reason %d", n.ID, number(n.Caller), n.Reason)
	}
	if x, ok := wire.ParseHome(f); ok {
		return fmt.Sprintf("HOME answer %v for %v left %d", x.Answer, x.Lifetime, x.Circuits)
	}
	return fmt.Sprintf("malformed %x", f)
}

// meet and met are frames of ends.
func meet(id uint32, other int, l relay.Label) []byte {
	m := wire.Meet{ID: id, Other: did(other), Label: wire.RecordID(l)}
	return m.Append(nil)
}

func met(id uint32, other int, l relay.Label) []byte {
	m := wire.Meet{Met: true, ID: id, Other: did(other), Label: wire.RecordID(l)}
	return m.Append(nil)
}

// relabel tells the hub where an end receives and under which label it sends.
func relabel(id uint32, other int, l, heard relay.Label) []byte {
	m := wire.Meet{Met: true, ID: id, Other: did(other), Label: wire.RecordID(l), Flags: wire.MetLabels, Sealed: heard[:]}
	return m.Append(nil)
}

// join makes a circuit between two peers: the hub receives from the caller under the
// second label that it draws, and from the callee under the first.
func (d *desk) join(id uint32, a, b int) (fromA, fromB relay.Label) {
	d.t.Helper()
	n := d.labels.drawn
	d.frame(a, meet(id, b, label(100*a+b)))
	d.frame(b, met(id, a, label(100*b+a)))
	if d.h.Status().Circuits == 0 || d.labels.drawn != n+2 {
		d.t.Fatalf("no circuit of %d and %d: sent\n%s", a, b, strings.Join(d.take(), "\n"))
	}
	d.take()
	return drawn(n + 2), drawn(n + 1)
}

// passes sends a datagram from an end and reports under which label it came to
// another one; the zero label: it did not.
func (d *desk) passes(from int, l relay.Label, to int) (out relay.Label) {
	d.t.Helper()
	p := d.paths[to]
	p.take = func(b []byte) {
		id, inside, _ := wire.CutCircuit(b)
		if string(inside) != "inside" {
			d.t.Errorf("%q came", inside)
		}
		out = relay.Label(id)
	}
	d.labels.receive(d.paths[from], datagram(l, []byte("inside")))
	p.take = nil
	return out
}

// busy lets the hub's goroutine wait until it is released.
func (d *desk) busy() (release func()) {
	hold, held := make(chan struct{}), make(chan struct{})
	d.h.box.Post(func(time.Time) { close(held); <-hold })
	<-held
	return func() { close(hold); synctest.Wait() }
}

// moves gives a session another path.
func (d *desk) moves(n int, k *link.Kind, at netip.AddrPort) (before *path) {
	before = d.paths[n]
	d.paths[n] = newPath(k, at)
	d.h.Path(did(n), d.paths[n])
	synctest.Wait()
	return before
}
