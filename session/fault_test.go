package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

// What the catalogue of faults asks of sessions and no other test shows.

// sealPacket seals an inner packet under the epoch that s uses now.
func (s *Session) sealPacket(space wire.Space) (rec []byte) {
	s.call(func(time.Time) error {
		var out wire.Batch
		plain := make([]byte, 20)
		plain[0], plain[3] = 0x45, 20
		if e := s.loop.keys.InUse(); e != nil {
			if err := e.Seal(&out, space, [][]byte{plain}); err == nil {
				rec = append([]byte(nil), out.At(0)...)
			}
		}
		return nil
	})
	return rec
}

// packetsIn is how many inner packets have reached a session; without a device
// they are counted as dropped there.
func (s *Session) packetsIn() uint64 { return s.Status().Dropped["device"] }

// R7: what was sealed before a rotation and comes after it.
// SPEC R-6.7-1, R-6.7-2.
func TestRecordsOfAnOldEpoch(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		var old [][]byte
		for range 3 {
			old = append(old, sb.sealPacket(wire.SpaceDirect))
		}
		w.rotate(sa)
		time.Sleep(time.Second)
		epoch := sb.Status().Epoch
		for i, after := range []time.Duration{0, 58 * time.Second, 5 * time.Second} {
			time.Sleep(after)
			before := sa.packetsIn()
			w.a.node.Deliver(w.b.addr.String(), old[i])
			if got, want := sa.packetsIn()-before, uint64(map[bool]int{true: 1}[i < 2]); got != want {
				t.Errorf("record %d of the old epoch: %d packets delivered, want %d", i, got, want)
			}
			id, _, _, _ := wire.ParseHeader(old[i]) // as the network asks, which counts what it may not hand over
			if known := w.a.node.Knows(id); known != (i < 2) {
				t.Errorf("record %d of the old epoch: its id is known: %v", i, known)
			}
		}
		if now := sb.Status().Epoch; now < epoch {
			t.Errorf("the sender went back from epoch %d to %d", epoch, now)
		}
	})
	faults.Report(t, "R7", true, "delivered 1 s and 59 s after the rotation; 64 s after it the id is unknown and nothing is delivered")
}

// R12: A asks for a thousand rotations a second, each another attempt, and lets none
// be finished. What B does of it, unsealing and refusing included, is little.
func TestAThousandRotationsASecond(t *testing.T) {
	const seconds = 2
	var answers atomic.Uint64
	var still, flooded time.Duration
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sb, link.KindDirect, time.Second)
		asks, err := sa.askOften(seconds * 1000)
		if err != nil {
			t.Fatal(err)
		}
		l := bad
		l.Drop = func(rec []byte) bool {
			if rotationOnly(rec) {
				answers.Add(1)
			}
			return rotationOnly(rec)
		}
		w.net.Set(w.b.addr, w.a.addr, l)
		send := func(really bool) time.Duration {
			before := processorTime(t)
			for _, rec := range asks {
				if really {
					w.b.node.Deliver(w.a.addr.String(), rec)
				}
				time.Sleep(time.Millisecond)
			}
			return processorTime(t) - before
		}
		still, flooded = send(false), send(true)
		if e := sb.Status().Epoch; e != 1 {
			t.Errorf("epoch %d", e)
		}
		w.up(sb, time.Second)
	})
	if n := answers.Load(); n < 5*seconds || n > 5*seconds+3 { // and B's resends of an attempt of its own
		t.Errorf("%d answers in %d s", n, seconds)
	}
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / seconds }
	if share(flooded) > 50 { // of a processor, on a machine with other work
		t.Errorf("1000 attempts a second take %.1f %% of a processor", share(flooded))
	}
	faults.Report(t, "R12", share(flooded-still) <= 5, "a session asked 1000 times a second for %d s: %d answers, %.1f %% of a processor for both ends in memory, unsealing, refusing and answering", seconds, answers.Load(), share(flooded))
	faults.Control(t, "R12", "%.1f %% of a processor without a question", share(still))
}

// askOften makes n M1r of as many attempts, sealed under the epoch in use.
func (s *Session) askOften(n int) (recs [][]byte, err error) {
	err = s.call(func(time.Time) error {
		out := new(wire.Batch)
		for i := range n {
			h, err := s.loop.keys.Initiate(handshake.Rotation(s.loop.keys.Number()+1, uint32(i+1)))
			if err != nil {
				return err
			}
			m1r, err := h.Start(nil)
			h.Close()
			if err != nil {
				return err
			}
			if err := s.loop.keys.InUse().Seal(out, wire.SpaceControl, [][]byte{append([]byte{wire.FrameHandshake}, m1r...)}); err != nil {
				return err
			}
		}
		recs = out.Slices()
		return nil
	})
	return recs, err
}

// processorTime is what this process has used of processors.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// R13: memory and goroutines over 3600 rotations, one a second.
func TestHourOfRotations(t *testing.T) {
	var grown int64
	var left int
	rotations := bubble.Times(3600, 400)
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		rotate := func(n int) {
			for i := range n {
				w.rotate([]*Session{sa, sb}[i%2])
				time.Sleep(time.Second)
			}
		}
		rotate(400) // tables reach their size
		before, goroutines := heap(), runtime.NumGoroutine()
		rotate(rotations)
		grown, left = int64(heap())-int64(before), runtime.NumGoroutine()-goroutines
		if left > 0 {
			t.Errorf("%d goroutines more", left)
		}
	})
	faults.Report(t, "R13", grown <= 1<<20 && left <= 0, "%d rotations: heap and stacks %+d KiB, %+d goroutines, both ends", rotations, grown>>10, left)
}

// R16: a process exports a session and ends; two processes with its identity start
// from the same bytes, in the same instant or a second apart, and live on beside
// each other, as after a fork of their machine.
func TestTwoProcessesFromOneSavedState(t *testing.T) {
	for _, apart := range []time.Duration{0, time.Second} {
		inWorld(t, func(t *testing.T, w *world) { w.fork(t, apart) })
	}
}

func (w *world) fork(t *testing.T, apart time.Duration) {
	sa, sb := w.pair(Settings{Heartbeat: time.Second})
	stored, err := sa.Export()
	if err != nil {
		t.Fatal(err)
	}
	var used keyUses
	used.seal(t, sa)
	w.a.crash()
	var forks [2]*Session
	var shakes [2]map[string]uint64
	var wg sync.WaitGroup
	for i := range forks {
		f := w.host(1)
		f.addr = netip.AddrPortFrom(w4(10, 0, 1, byte(i)), 4242)
		f.up()
		defer f.down()
		forks[i] = f.peer(w.b, false, Settings{Heartbeat: time.Second})
		f.dir.Set(w.b.id.DID(), w.b.addr.String())
		wg.Go(func() {
			time.Sleep(time.Duration(i) * apart)
			if _, err := f.m.Resume(t.Context(), w.b.id.DID(), stored); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
			shakes[i] = forks[i].Counts().Handshakes
		})
	}
	wg.Wait()
	var done [2]int
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		for i, s := range forks {
			done[i] += used.seal(t, s)
		}
		used.seal(t, sb)
	}
	if apart > 0 && (shakes[0][HandshakeFull] != 0 || shakes[1][HandshakeFull] != 1) {
		t.Errorf("the first made %d full handshakes, the second %d", shakes[0][HandshakeFull], shakes[1][HandshakeFull])
	}
	faults.Report(t, "R16", min(done[0], done[1]) >= 1000, "two processes of one identity from the same bytes, %v apart, side by side for a minute: %d and %d full handshakes to come up; %d records sealed by them and %d by the peer and the first life: no number twice under a key",
		apart, shakes[0][HandshakeFull], shakes[1][HandshakeFull], done[0]+done[1], len(used)-done[0]-done[1])
}

// keyUses tells keys apart: one plaintext gives the same bytes only under the same
// key, number space and number.
type keyUses map[keyUse]wire.RecordID

type keyUse struct {
	space   wire.Space
	counter uint64
	sealed  [20]byte
}

// seal seals ten packets, if there are keys, and returns how many.
func (k *keyUses) seal(t *testing.T, s *Session) (n int) {
	t.Helper()
	if *k == nil {
		*k = make(keyUses)
	}
	for range 10 {
		rec := s.sealPacket(wire.SpaceDatagram)
		id, counter, space, ok := wire.ParseHeader(rec)
		if !ok {
			return n
		}
		use := keyUse{space, counter, [20]byte(rec[wire.HeaderSize:])}
		if before, twice := (*k)[use]; twice {
			t.Fatalf("number %d in space %v twice under one key, ids %x and %x", counter, space, before, id)
		}
		(*k)[use] = id
		n++
	}
	return n
}

// O4: a goodbye counts only under the current epoch's keys.
// SPEC R-6.6-1.
func TestForgedCloseIsIgnored(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		var old wire.Batch
		sb.call(func(time.Time) error {
			return sb.loop.keys.InUse().Seal(&old, wire.SpaceDirect, [][]byte{{wire.FrameClose, 0}})
		})
		w.rotate(sa)
		time.Sleep(time.Second)
		forged := sb.sealPacket(wire.SpaceDirect)
		forged[len(forged)-1] ^= 1
		for _, rec := range [][]byte{old.At(0), forged} {
			w.a.node.Deliver(w.b.addr.String(), rec)
		}
		w.up(sa, 5*time.Second)
	})
	faults.Report(t, "O4", true, "a goodbye under an epoch that was replaced, and a forged record: ignored")
}

// O18: whoever sees B's records and is faster passes each on from elsewhere. A
// must not stay with him once he ends, and not send him what B does not get.
func TestRacingReplayer(t *testing.T) {
	var back time.Duration
	var copied int64
	withAllCarriers(t, func(t *testing.T, w *world) {
		third := netip.AddrPortFrom(w4(10, 0, 0, 66), 1)
		var racing atomic.Bool
		var copies atomic.Int64
		l := bad
		l.Delay = 20 * time.Millisecond
		l.Drop = func(rec []byte) bool {
			if racing.Load() && wire.Space(rec[15]) == wire.SpaceDirect {
				kept := append([]byte(nil), rec...)
				copies.Add(1)
				time.AfterFunc(5*time.Millisecond, func() { w.a.node.Deliver(third.String(), kept) })
			}
			return false
		}
		w.net.Set(w.b.addr, w.a.addr, l)
		sa, sb := w.pair(Settings{})
		defer talk(sa, sb)()
		w.wantCarrier(sa, link.KindDirect, 2*time.Second)
		time.Sleep(2 * time.Second)
		racing.Store(true)
		stolen := 0
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if rec := sb.sealPacket(wire.SpaceDirect); rec != nil {
				var one wire.Batch
				one.Append(rec)
				w.b.node.Direct(w.a.addr).Send(&one)
			}
			if sa.Status().Endpoint == third {
				stolen++
			}
		}
		copied = copies.Load()
		if copied < 1000 || sa.packetsIn() < 1000 {
			t.Errorf("%d records copied, %d packets came: this shows little", copied, sa.packetsIn())
		}
		racing.Store(false)
		ended := time.Now()
		for sa.Status().Endpoint != w.b.addr {
			if back = time.Since(ended); back > 10*time.Second {
				t.Fatalf("A stays with %v", sa.Status().Endpoint)
			}
			time.Sleep(time.Millisecond)
		}
		w.up(sa, 5*time.Second)
		if n := sa.Status().Handshakes; n != 1 {
			t.Errorf("%d full handshakes", n)
		}
		t.Logf("A used the third host's address in %d of 1000 looks", stolen)
		if stolen > 0 { // he answers no probe: he only repeats B's records
			t.Errorf("A used an address that proved nothing, %d times", stolen)
		}
	})
	faults.Report(t, "O18", back == 0, "%d records in 10 s copied and overtaken: A never used the copier's address", copied)
}

// C13: sessions come up and are taken down at both ends at once.
func TestUpAndDownAtBothEnds(t *testing.T) {
	const rounds, times = 10, 50
	inWorld(t, func(t *testing.T, w *world) {
		for range rounds {
			var wg sync.WaitGroup
			for _, ends := range [][2]*host{{w.a, w.b}, {w.b, w.a}} {
				wg.Go(func() {
					for i := range times {
						ends[0].peer(ends[1], true, Settings{})
						time.Sleep(time.Duration(i) * time.Millisecond)
						if err := ends[0].m.Remove(ends[1].id.DID()); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
		}
		sb := w.b.peer(w.a, false, Settings{})
		sa := w.a.peer(w.b, true, Settings{})
		w.want(sa, Established, 5*time.Second)
		w.want(sb, Established, 5*time.Second)
	})
	faults.Report(t, "C13", true, "%d times %d up and down at both ends, race detector on: no race, no goroutine left, the next session comes up", rounds, times)
}

// M8: a life of roaming, restarts, partitions, rotations and messages, against a
// model: every message is received once and in order, or its sender was told
// that it may not have been.
func TestModelOfALife(t *testing.T) {
	const runs = 6
	sent, lost, restarts := 0, 0, 0
	for seed := range uint64(runs) {
		withAllCarriers(t, func(t *testing.T, w *world) {
			rng := rand.New(rand.NewPCG(seed, 8))
			sa, sb := w.pair(Settings{Heartbeat: time.Second})
			var mu sync.Mutex
			got := make(map[int]int)
			last := -1
			take := func(s *Session) {
				for {
					msg, err := s.Receive(context.Background())
					if err != nil {
						return
					}
					var n int
					fmt.Sscan(string(msg), &n)
					mu.Lock()
					if n <= last {
						t.Errorf("seed %d: message %d after %d", seed, n, last)
					}
					last = n
					got[n]++
					mu.Unlock()
				}
			}
			go take(sb)
			told := make(map[int]error) // what the sender knows
			answers := make(map[int]chan error)
			number, moves := 0, byte(0)
			for range 60 {
				switch rng.IntN(6) {
				case 0:
					w.cut(true)
					time.Sleep(time.Duration(rng.Int64N(int64(40 * time.Second))))
					w.net.SetAll(bad)
				case 1:
					moves++
					w.a.addr = netip.AddrPortFrom(w4(10, 0, 9, moves), 5000)
					w.a.node.Move(w.a.addr)
					w.a.m.NetworkChanged()
				case 2:
					w.net.SetAll(udpBlocked())
					time.Sleep(5 * time.Second)
					w.net.SetAll(bad)
				case 3:
					if s := sa.State(); s == Established {
						ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
						_ = sa.Rotate(ctx) // B may just be away
						cancel()
					}
				case 4:
					if rng.IntN(3) == 0 {
						restarts++
						w.cut(true) // a message is under way, and will have been
						asked := make(chan error, 1)
						number++
						go func(n int) { asked <- sa.Send(t.Context(), fmt.Append(nil, n)) }(number - 1)
						time.Sleep(time.Second)
						w.b.crash()
						w.cut(false)
						w.b.up()
						answers[number-1] = asked
						mu.Lock()
						last = -1 // what was taken before is another life's
						mu.Unlock()
						sb = w.b.peer(w.a, false, Settings{Heartbeat: time.Second})
						go take(sb)
					}
				}
				for range rng.IntN(4) {
					ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
					told[number] = sa.Send(ctx, fmt.Append(nil, number))
					cancel()
					number++
				}
				time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second))))
			}
			w.net.SetAll(bad)
			w.want(sa, Established, 2*time.Minute)
			for n, asked := range answers {
				told[n] = <-asked
			}
			time.Sleep(5 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			for n, err := range told {
				switch {
				case err == nil && got[n] != 1:
					t.Errorf("seed %d: message %d was acknowledged and received %d times", seed, n, got[n])
				case err != nil && got[n] > 1:
					t.Errorf("seed %d: message %d: %v, received %d times", seed, n, err, got[n])
				case err != nil:
					lost++
				}
			}
			sent += number
		})
	}
	faults.Report(t, "M8", true, "%d lives with %d restarts of the peer: %d messages, each acknowledged one received once and in order; of %d the sender was told that they may be lost", runs, restarts, sent, lost)
}
