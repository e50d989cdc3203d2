package session

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A traitor is a hub that does something to what it forwards and says. Nil fields do
// nothing.
type traitor struct {
	w     *homes
	bytes func(t *tap, p link.Path, datagrams [][]byte) [][]byte // in place of what came
	says  func(m *wire.Meet)                                     // changes MEET and MET that it sends

	mu   sync.Mutex
	rng  *rand.Rand
	taps []*tap
	done int // datagrams to which something was done
}

// A tap is what the traitor has of an entry of its table.
type tap struct {
	link.DatagramReceiver
	t     *traitor
	label wire.RecordID
	path  link.Path // the newest by which something came
	kept  [][]byte
}

func (x *tap) Datagrams(p link.Path, datagrams [][]byte) {
	x.t.mu.Lock()
	x.path = p
	if x.t.bytes != nil {
		datagrams = x.t.bytes(x, p, datagrams)
	}
	x.t.mu.Unlock()
	if len(datagrams) > 0 {
		x.DatagramReceiver.Datagrams(p, datagrams)
	}
}

// opposite is the tap of the other direction of the only circuit; nil where there is none.
func (x *tap) opposite() *tap {
	for _, o := range slices.Backward(x.t.taps) {
		if o != x && o.path != nil && o.path.Remote() != x.path.Remote() {
			return o
		}
	}
	return nil
}

func (t *traitor) PutLabel(label wire.RecordID, r link.DatagramReceiver) error {
	x := &tap{DatagramReceiver: r, t: t, label: label}
	t.mu.Lock()
	t.taps = append(t.taps, x)
	t.mu.Unlock()
	return lateLabels{t.w}.PutLabel(label, x)
}

func (t *traitor) DeleteLabel(label wire.RecordID) { lateLabels{t.w}.DeleteLabel(label) }

// send is how the hub sends frames.
func (t *traitor) send(to relay.DID, frame []byte) bool {
	if m, ok := wire.ParseMeet(frame); ok && t.says != nil && m.Flags&wire.MetLabels == 0 {
		t.says(&m)
		frame = m.Append(nil)
	}
	return t.w.hub.m.SendFrame(to, frame)
}

// betray replaces the hub of two homes by a traitor, before the two know of each other's
// place.
func (w *homes) betray(t *traitor) {
	w.t.Helper()
	w.stopHub()
	t.w, t.rng = w, rand.New(rand.NewPCG(13, 6))
	w.hub.node = w.net.Node(w.hub.addr)
	w.relay = hub.New(hub.Config{Mode: relay.Peers, Labels: t, Guard: guard.New(slog.New(slog.DiscardHandler)),
		Draw: func() relay.Label { return relay.Label(w.hub.m.DrawLabel()) }, Send: t.send})
	w.hub.start(w.relay)
	for _, h := range []*host{w.a, w.b} {
		w.hub.peer(h, false, Settings{})
	}
	for _, s := range w.toHub {
		w.want(s, Established, 90*time.Second)
	}
	time.Sleep(2 * time.Second)
}

// counted is how many datagrams the traitor has touched.
func (t *traitor) counted() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done
}

// meets brings the session of the two up. A hub may make the first attempt fail.
func (w *homes) meets(within time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	for {
		_, err := w.a.m.Establish(ctx, w.b.id.DID())
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("%v\n%s", err, w.ab.policy())
		}
	}
}

// exchange sends messages both ways and checks that each arrives once, whole and in order.
func (w *homes) exchange(n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Minute)
	defer cancel()
	for i := range n {
		for _, d := range [][2]*Session{{w.ab, w.ba}, {w.ba, w.ab}} {
			text := fmt.Appendf(nil, "message %d of %d bytes %s", i, 100*i, bytes.Repeat([]byte{'x'}, 100*i))
			if err := d[0].Send(ctx, text); err != nil {
				w.t.Fatal(err)
			}
			if m, err := d[1].Receive(ctx); err != nil || !bytes.Equal(m, text) {
				w.t.Fatalf("%q in place of message %d, %v", m, i, err)
			}
		}
	}
}

// A hub flips a bit of every fourth datagram, sends every datagram three times, in another
// order, and back to its sender. Nothing of it is taken for the peer's: the session keeps
// its keys' worth, each message arrives once, whole and in order.
func TestFaultAHubThatChangesWhatItForwards(t *testing.T) {
	flip := func(x *tap, _ link.Path, all [][]byte) [][]byte {
		for _, d := range all {
			if x.t.rng.IntN(4) == 0 {
				d[wire.CircuitHeaderSize+x.t.rng.IntN(len(d)-wire.CircuitHeaderSize)] ^= 1 << x.t.rng.IntN(8)
				x.t.done++
			}
		}
		return all
	}
	repeat := func(x *tap, _ link.Path, all [][]byte) (out [][]byte) {
		for range 3 {
			for _, d := range all {
				out = append(out, bytes.Clone(d))
				x.t.done++
			}
		}
		return out
	}
	swap := func(x *tap, _ link.Path, all [][]byte) (out [][]byte) {
		for _, d := range all { // what came before leaves after it
			if out = append(out, bytes.Clone(d)); len(x.kept) > 0 {
				out, x.kept = append(out, x.kept...), nil
				x.t.done++
			} else if x.t.rng.IntN(3) == 0 {
				x.kept, out = append(x.kept, bytes.Clone(d)), out[:len(out)-1]
			}
		}
		return out
	}
	reflect := func(x *tap, p link.Path, all [][]byte) [][]byte {
		if o := x.opposite(); o != nil {
			var back [][]byte
			for _, d := range all {
				back = append(back, bytes.Clone(d))
				x.t.done++
			}
			o.DatagramReceiver.Datagrams(o.path, back) // as if the other end had sent it
		}
		return all
	}
	for name, what := range map[string]func(*tap, link.Path, [][]byte) [][]byte{"flips": flip, "repeats": repeat, "swaps": swap, "reflects": reflect} {
		t.Run(name, func(t *testing.T) {
			inHomes(t, symmetric, func(t *testing.T, w *homes) {
				x := &traitor{bytes: what}
				w.betray(x)
				w.meets(time.Minute)
				w.on("circuit", 30*time.Second)
				w.exchange(20)
				for range 30 { // records, and a rotation
					time.Sleep(5 * time.Second)
					for _, s := range []*Session{w.ab, w.ba} {
						ctx, cancel := context.WithTimeout(t.Context(), time.Second)
						_, _ = s.Ping(ctx)
						cancel()
					}
				}
				for _, s := range []*Session{w.ab, w.ba} {
					if st := s.Status(); st.Handshakes == 0 || st.Through != w.hub.id.DID() {
						t.Errorf("%+v", st)
					}
				}
				if x.counted() < 20 {
					t.Errorf("%d datagrams only", x.counted())
				}
				faults.Report(t, "N14", true, "%s: %d datagrams, every message once and whole", name, x.counted())
			})
		})
	}
}

// A hub that brings together and forwards nothing: two homes that can meet have a session
// all the same, by the addresses alone. Where they cannot, they have none, and one through
// an honest hub.
func TestFaultAHubThatWithholds(t *testing.T) {
	withhold := func(x *tap, _ link.Path, all [][]byte) [][]byte {
		x.t.done += len(all)
		return nil
	}
	t.Run("homes that can meet", func(t *testing.T) {
		inHomes(t, plain, func(t *testing.T, w *homes) {
			x := &traitor{bytes: withhold}
			w.betray(x)
			w.meets(time.Minute)
			took := w.on("direct", 5*time.Second)
			w.exchange(5)
			w.pings("direct")
			faults.Report(t, "N15", true, "direct after %v although %d datagrams were withheld", took.Round(time.Millisecond), x.counted())
		})
	})
}

// A hub that lies about candidates: all that it names are addresses of a third party. The
// two have a session through it, nothing is taken for direct, and what reaches the third
// party is within the budget.
func TestFaultAHubThatLiesAboutCandidates(t *testing.T) {
	third := netip.MustParseAddr("203.0.113.200")
	inHomes(t, plain, func(t *testing.T, w *homes) {
		x := &traitor{says: func(m *wire.Meet) {
			m.Candidates = wire.Candidates{}
			for port := uint16(5000); m.Candidates.Add(wire.Candidate{Addr: netip.AddrPortFrom(third, port), Kind: wire.CandidateOwn}); port++ {
			}
		}}
		w.betray(x)
		w.meets(time.Minute)
		w.on("circuit", 2*time.Second)
		w.exchange(5)
		time.Sleep(time.Hour)
		w.on("circuit", 0)
		w.pings("circuit")
		for _, s := range []*Session{w.ab, w.ba} {
			if st := s.Status(); st.WhyNotDirect == "" || st.Endpoint.IsValid() {
				t.Errorf("%+v", st)
			}
		}
		faults.Report(t, "N16", true, "an hour on the circuit, nothing is taken for direct")
	})
}
