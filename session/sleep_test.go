package session

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/rotation"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
	"github.com/libertaria-project/l2tun/test/tuntest"
)

var long = flag.Bool("long", false, "run the long forms")

// unused is how long the sessions of these tests are unused before they sleep.
const unused = time.Minute

// asleep waits until all of the sessions sleep.
func (w *world) asleep(within time.Duration, sessions ...*Session) {
	w.t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for _, s := range sessions {
		for watch := s.m.Watch(); s.State() != Idle || s.Status().Reason != ReasonAsleep; {
			e, _, err := watch.Next(ctx)
			if err != nil {
				w.t.Fatalf("%v (%q) after %v, want asleep\n%s", s.State(), s.Status().Reason, within, s.policy())
			}
			if !e.Time.Before(start) {
				time.Sleep(time.Microsecond) // the session shows it
			}
		}
	}
}

// sleepy makes the two hosts peers of each other that may sleep and know where the
// other is.
func (w *world) sleepy() (ab, ba *Session) {
	w.t.Helper()
	ab, ba = w.a.peer(w.b, true, Settings{IdleAfter: unused}), w.b.peer(w.a, true, Settings{IdleAfter: unused})
	w.want(ab, Established, 2*time.Second)
	w.want(ba, Established, 2*time.Second)
	return ab, ba
}

// shaken is how many handshakes a session has come to, and how many of them failed.
func shaken(s *Session) (good, bad uint64) {
	for result, n := range s.Counts().Handshakes {
		if result == "full" || result == "resumed" {
			good += n
		} else {
			bad += n
		}
	}
	return good, bad
}

// counted makes all lines count the records that leave.
func (w *world) counted() *atomic.Int64 {
	n := new(atomic.Int64)
	w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond, Drop: func([]byte) bool { n.Add(1); return false }})
	return n
}

// Two ends that nobody uses fall asleep, an hour of that sends nothing and holds no keys,
// and what wants out wakes both by one handshake.
func TestTwoEndsFallAsleepAndWake(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sent := w.counted()
		ab, ba := w.sleepy()
		w.asleep(2*unused, ab, ba)
		time.Sleep(10 * time.Second)
		before := sent.Load()
		time.Sleep(time.Hour)
		if n := sent.Load() - before; n != 0 {
			t.Errorf("%d records leave while both sleep", n)
		}
		w.asleep(0, ab, ba)
		if st := ab.Status(); st.Epoch != 0 || st.Carrier != "" || st.MTU != 0 {
			t.Errorf("asleep: %+v", st)
		}
		good, _ := shaken(ab)
		ab.wake(wakeWanted)
		took := w.want(ab, Established, time.Second)
		w.want(ba, Established, time.Second)
		if now, bad := shaken(ab); now != good+1 || bad != 0 || took > 150*time.Millisecond {
			t.Errorf("%d handshakes, %d failed, after %v", now-good, bad, took)
		}
		w.asleep(2*unused, ab, ba)
		if _, err := ba.Ping(t.Context()); !errors.Is(err, ErrAsleep) || !errors.Is(err, ErrNotEstablished) {
			t.Errorf("pinged asleep: %v", err)
		}
		w.want(ba, Established, time.Second)
		if _, err := ba.Ping(t.Context()); err != nil {
			t.Errorf("pinged when woken: %v", err)
		}
	})
}

// A message wakes the peer, and neither end sleeps before it is acknowledged and taken.
func TestMessagesKeepAwake(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		ab, ba := w.sleepy()
		w.asleep(2*unused, ab, ba)
		if err := ab.Send(t.Context(), []byte("hello")); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * unused); time.Now().Before(end); time.Sleep(time.Second) {
			if ab.State() == Idle || ba.State() == Idle {
				t.Fatalf("%v and %v with a message that nobody has taken", ab.State(), ba.State())
			}
		}
		if m, err := ba.Receive(t.Context()); err != nil || string(m) != "hello" {
			t.Fatalf("%q, %v", m, err)
		}
		w.asleep(3*unused, ab, ba)

		w.cut(true) // unacknowledged: out of reach, but not asleep
		ctx, cancel := context.WithTimeout(t.Context(), 5*unused)
		defer cancel()
		ab.Send(ctx, []byte("again"))
		if st := ab.Status(); st.Reason == ReasonAsleep {
			t.Errorf("%+v with a message on its way", st)
		}
	})
}

// Who may not sleep: sessions that are kept awake by either end, and those with a node
// that knows no circuits.
func TestWhoStaysAwake(t *testing.T) {
	for name, change := range map[string]func(w *world, ab, ba *Session){
		"this end is kept awake": func(w *world, ab, _ *Session) { ab.Update("", true, false, true) },
		"the peer is":            func(w *world, _, ba *Session) { ba.Update("", true, false, true) },
		"the peer is a hub":      func(w *world, ab, _ *Session) { ab.Update("", true, true, false) },
	} {
		t.Run(name, func(t *testing.T) {
			withAllCarriers(t, func(t *testing.T, w *world) {
				ab, ba := w.sleepy()
				change(w, ab, ba)
				w.up(ab, 10*unused)
				w.up(ba, 0)
			})
		})
	}
	t.Run("a node of the version before", func(t *testing.T) {
		withAllCarriers(t, func(t *testing.T, w *world) {
			w.b.m.states.Circuits, w.b.m.states.Minor = false, 0
			ab, ba := w.sleepy()
			w.up(ab, 10*unused)
			if malformed(ba) != 0 || malformed(ab) != 0 {
				t.Error("it gets frames that it does not know")
			}
		})
	})
}

// Whoever wants to wake at the same moment as the peer does, up to two round trips
// later, and at once or when what was on the lines has arrived: each of these pairs of
// times (-long: several times).
func TestWakesCross(t *testing.T) {
	const later, idle = 41, 11 // without a common divisor: the rounds pass all pairs
	rounds := bubble.Times(later*idle, 100)
	if *long {
		rounds *= 5
	}
	withAllCarriers(t, func(t *testing.T, w *world) {
		ab, ba := w.sleepy()
		for i := range rounds {
			w.asleep(3*unused, ab, ba)
			time.Sleep(time.Duration(i%idle) * time.Millisecond)
			ab.wake(wakeWanted)
			time.Sleep(time.Duration(i%later) * time.Millisecond)
			ba.wake(wakeWanted)
			w.want(ab, Established, time.Second)
			w.want(ba, Established, time.Second)
		}
	})
}

// A packetHost is a host with packets on its session.
type packetHost struct {
	*host
	dev  *tuntest.Channel
	data *datapath.Datapath
	done chan error
	at   netip.Addr // on the overlay
}

// packets gives a host a device; it has no manager yet.
func (h *host) packets(n byte) *packetHost {
	x := &packetHost{host: h, dev: tuntest.NewChannel(4096), done: make(chan error, 1), at: netip.AddrFrom4([4]byte{10, 9, 0, n})}
	x.data = datapath.New(x.dev)
	h.node = h.w.net.Node(h.addr)
	h.node.Handle(x.data)
	m, err := New(Config{Identity: h.id, Network: h.node, Resolver: h.dir, Table: x.data,
		Planes: func(sink link.Sink, limits link.QueueLimits) link.Plane { return x.data.NewPeer(limits, sink) }})
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.m = m
	go func() { x.done <- x.data.Outbound() }()
	return x
}

// with makes another host a peer that owns its overlay address.
func (h *packetHost) with(other *packetHost, set Settings) *Session {
	s := h.peer(other.host, true, set)
	h.data.Owners().SetOwn([]netip.Prefix{netip.PrefixFrom(h.at, 32)})
	if err := h.data.Owners().Routes().Insert(netip.PrefixFrom(other.at, 32), s.Plane().(*datapath.Peer)); err != nil {
		h.w.t.Fatal(err)
	}
	return s
}

func (h *packetHost) end() {
	h.down()
	h.dev.Close()
	<-h.done
}

// numberedPacket is an IPv4 UDP packet with a number.
func numberedPacket(from, to netip.Addr, number uint64) []byte {
	p := make([]byte, 36)
	p[0], p[3], p[8], p[9] = 0x45, byte(len(p)), 64, 17
	copy(p[12:], from.AsSlice())
	copy(p[16:], to.AsSlice())
	p[25] = byte(len(p) - 20)
	binary.BigEndian.PutUint64(p[28:], number)
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(p[10:], ^uint16(sum))
	return p
}

// Packets in bursts over many sleeps arrive, each once, and each wake is one handshake,
// but for the full ones that are due after some time (-long: 10^6 packets, 1,000 sleeps).
func TestPacketsOverManySleeps(t *testing.T) {
	sleeps, burst := 100, 100
	if *long {
		sleeps, burst = 1000, 1000
	}
	bubble.Test(t, func(t *testing.T) {
		w := &world{t: t, net: memnet.New(1), all: true}
		w.net.SetAll(memnet.Line{Delay: 10 * time.Millisecond})
		a, b := w.host(1).packets(1), w.host(2).packets(2)
		set := Settings{IdleAfter: 10 * time.Second, QueuePackets: 2000}
		ab, ba := a.with(b, set), b.with(a, set)
		defer func() {
			a.end()
			b.end()
			time.Sleep(time.Second)
		}()
		w.want(ab, Established, 2*time.Second)
		w.want(ba, Established, 2*time.Second)
		seen := make(map[uint64]int, sleeps*burst)
		w.asleep(time.Minute, ab, ba)
		first, _ := shaken(ab)
		begun := time.Now()
		for i := range sleeps {
			from, to := a, b
			if i%2 == 1 {
				from, to = b, a
			}
			for j := range burst {
				if err := from.dev.Inject(numberedPacket(from.at, to.at, uint64(i*burst+j))); err != nil {
					t.Fatal(err)
				}
			}
			w.want(ab, Established, time.Second)
			w.asleep(time.Minute, ab, ba)
			for len(to.dev.Written()) > 0 {
				p := <-to.dev.Written()
				seen[binary.BigEndian.Uint64(p[28:])]++
			}
		}
		for n, times := range seen {
			if times != 1 {
				t.Errorf("packet %d came %d times", n, times)
			}
		}
		good, bad := shaken(ab)
		full := uint64(time.Since(begun)/(rotation.ShortLimit/2)) + 1 // those that are due meanwhile, SPEC 5.2
		if len(seen) != sleeps*burst || bad != 0 || good-first < uint64(sleeps) || good-first > uint64(sleeps)+full {
			t.Errorf("%d of %d packets, %d handshakes, %d failed, for %d wakes; %v, %v, %v", len(seen), sleeps*burst, good-first, bad, sleeps, ab.Counts().Handshakes, ab.Status().Dropped, ba.Status().Dropped)
		}
	})
}

// A sleeper behind a NAT that a knock of nobody's asking disturbs is woken through its
// hub, and the two are direct a moment later.
func TestSleepersBehindNATsAreWoken(t *testing.T) {
	inHomes(t, careless, func(t *testing.T, w *homes) {
		for _, s := range []*Session{w.ab, w.ba} {
			s.Close()
		}
		for _, x := range []struct {
			h    *host
			peer did.DID
		}{{w.a, w.b.id.DID()}, {w.b, w.a.id.DID()}} {
			x.h.m.Remove(x.peer)
		}
		w.ab, w.ba = w.a.peer(w.b, false, Settings{IdleAfter: unused}), w.b.peer(w.a, false, Settings{IdleAfter: unused})
		if _, err := w.a.m.Establish(t.Context(), w.b.id.DID()); err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			w.on("direct", 5*time.Second)
			w.asleep(3*unused, w.ab, w.ba)
			time.Sleep(10 * time.Minute) // the NATs forget
			s := w.ab
			if i%2 == 1 {
				s = w.ba
			}
			s.wake(wakeWanted)
			w.want(w.ab, Established, time.Second)
			w.want(w.ba, Established, time.Second)
		}
		w.on("direct", 5*time.Second)
	})
}
