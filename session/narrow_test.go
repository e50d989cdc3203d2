package session

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// bulk acts as packets of full size that leave all the time would, whether they
// arrive or not.
func bulk(ss ...*Session) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, s := range ss {
				s.call(func(now time.Time) error { s.sendFull(now); return nil })
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() { cancel(); <-done }
}

// sendFull sends what the packet loops would: a packet that fills a record.
func (s *Session) sendFull(now time.Time) {
	p, t := s.loop.paths.Using(), s.plane.Traffic()
	if p == nil || s.loop.keys.InUse() == nil {
		return
	}
	size := min(p.Room(), 1452)
	packet := make([]byte, size-wire.Overhead)
	packet[0] = 0x45
	t.WideSent.Note(size)
	frames.SendWhole(s.loop.keys.InUse(), p, p.Kind().Space, packet)
	t.LastSent.Store(link.Stamp(now))
	if t.Watch.CompareAndSwap(true, false) {
		s.loop.paths.Began(true, now)
	}
}

// arrivesAgain waits until packets for s arrive and returns how long that took.
// A session without a device counts them as dropped.
func (w *world) arrivesAgain(s *Session, within time.Duration) time.Duration {
	w.t.Helper()
	start := time.Now()
	time.Sleep(100 * time.Millisecond) // what is under way
	for before := s.Status().Dropped["device"]; s.Status().Dropped["device"] == before; time.Sleep(time.Millisecond) {
		if time.Since(start) > within {
			st := s.Status()
			w.t.Fatalf("nothing arrives for %v; state %v, carrier %q", within, st.State, st.Carrier)
		}
	}
	return time.Since(start)
}

func narrow(bytes int) memnet.Line { l := bad; l.MaxPacket = bytes; return l }

// The way takes only smaller packets from now on and says nothing. Small ones
// pass as before.
func TestWayBecomesNarrow(t *testing.T) {
	for _, c := range []struct {
		name       string
		limit      int
		both       bool // directions
		carrier    string
		room, more int // more: full handshakes
	}{
		{"between the sizes", 1400, true, "direct", 1372, 0},
		{"a little", 1440, true, "direct", 1412, 0},
		{"one way", 1400, false, "direct", 1372, 0},
		{"below the sizes", 1250, true, "datagram", 1163, 0},
		{"below the sizes, one way", 1250, false, "datagram", 1163, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			withAllCarriers(t, func(t *testing.T, w *world) {
				sa, sb := w.pair(Settings{})
				defer bulk(sa)()
				w.wantCarrier(sa, link.KindDirect, time.Second)
				w.wantCarrier(sb, link.KindDirect, time.Second)
				time.Sleep(2 * time.Second)
				w.net.Set(w.a.addr, w.b.addr, narrow(c.limit))
				if c.both {
					w.net.SetAll(narrow(c.limit))
				}
				took := w.arrivesAgain(sb, 3*time.Second)
				time.Sleep(10 * time.Second)
				st := sa.Status()
				t.Logf("packets arrive again after %v; carrier %s, room %d", took, st.Carrier, st.Room)
				if st.Carrier != c.carrier || st.Room != c.room || st.Handshakes != 1 {
					t.Errorf("%+v", st)
				}
				w.net.SetAll(bad)
				w.wantCarrier(sa, link.KindDirect, 30*time.Second)
				w.up(sb, time.Second)
			})
		})
	}
}

// The same on QUIC alone: its packets have one size for ever.
func TestWayOfQUICBecomesNarrow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		defer bulk(sa, sb)()
		time.Sleep(2 * time.Second)
		if got := sa.Status().Room; got != 1415 {
			t.Fatalf("room %d", got)
		}
		w.net.SetAll(narrow(1250))
		t.Logf("packets arrive again after %v at B", w.arrivesAgain(sb, 3*time.Second))
		w.arrivesAgain(sa, 3*time.Second)
		time.Sleep(10 * time.Second)
		for _, s := range []*Session{sa, sb} {
			if st := s.Status(); st.Room != 1163 || st.Handshakes != 1 {
				t.Errorf("%+v", st)
			}
		}
		w.stays(sa, Established, time.Minute)
	})
}

// Messages notice it too, without a packet.
func TestMessagesOutliveANarrowWay(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		drain(sb)
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(time.Minute)
		w.net.SetAll(narrow(1250))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if err := sa.Send(ctx, bytes.Repeat([]byte("x"), 100_000)); err != nil {
			t.Fatal(err)
		}
		t.Logf("acknowledged after %v", time.Since(start))
	})
}

// Nine of ten large records are lost and no small one, as where a queue is full
// all the time: the way is no narrower for that.
func TestOverloadIsNoNarrowWay(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		time.Sleep(20 * time.Second)
		defer bulk(sa)()
		l, n := bad, 0
		l.Drop = func(rec []byte) bool {
			if len(rec) < 1000 {
				return false
			}
			n++
			return n%10 != 0
		}
		w.net.Set(w.a.addr, w.b.addr, l)
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			if st := sa.Status(); st.Carrier != "direct" || st.State != Established && st.State != Rotating {
				t.Fatalf("%+v", st)
			}
		}
	})
}

// No large probe leaves while no large record does: after the first minute the path
// carries heartbeats alone.
func TestPathMTUIsNotProbedWithoutLargeRecords(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		w.wantCarrier(sb, link.KindDirect, time.Second)
		time.Sleep(40 * time.Second)
		got := w.capture(w.a, w.b, func(rec []byte) bool { return len(rec) > 200 })
		defer talk(sa, sb)()
		time.Sleep(20 * time.Second)
		if n := len(got()); n > 0 {
			t.Errorf("%d large records left", n)
		}
	})
}
