package session

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// brokenPath fails as a defect does when it is looked at.
type brokenPath struct{ link.Path }

// brokenStream is a stream that begins well and then fails so.
type brokenStream struct {
	head []byte
	link.Stream
}

func (s *brokenStream) Read(b []byte) (int, error) {
	if len(s.head) == 0 {
		panic("session: internal error: a test")
	}
	n := copy(b, s.head)
	s.head = s.head[n:]
	return n, nil
}
func (s *brokenStream) Write(b []byte) (int, error)   { return len(b), nil }
func (s *brokenStream) SetDeadline(t time.Time) error { return nil }
func (s *brokenStream) Close() error                  { return nil }

// brokenConn is a connection of a stranger with such a stream.
type brokenConn struct {
	link.Conn
	closed atomic.Bool
}

func (c *brokenConn) AcceptStream(context.Context) (link.Stream, error) {
	return new(brokenStream), nil
}
func (c *brokenConn) Done() <-chan struct{}  { return nil }
func (c *brokenConn) Remote() netip.AddrPort { return netip.AddrPort{} }
func (c *brokenConn) Close(string) error     { c.closed.Store(true); return nil }

// fails checks that a defect ends the session, is counted, and that it comes up again.
func (w *world) fails(s *Session, defect func()) {
	w.t.Helper()
	before := s.plane.Traffic().Drops()["fault"]
	defect()
	for end := time.Now().Add(time.Second); s.plane.Traffic().Drops()["fault"] == before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatal("the defect is not counted")
		}
	}
	seen := false
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && !(seen && s.State() == Established); time.Sleep(time.Millisecond) {
		seen = seen || s.State() != Established && s.Status().Reason == ReasonFault
	}
	if !seen || s.State() != Established {
		w.t.Fatalf("failed %v, now %v", seen, s.State())
	}
}

// SPEC 6.5: a defect in handling a peer's frame, stream or message ends that
// peer's session, which comes up again; the process goes on.
func TestDefectsEndTheSession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.want(sb, Established, 5*time.Second)
		x := sink{sa}
		w.fails(sa, func() {
			x.Frame(brokenPath{}, nil, wire.AppendProbe(nil, 1, 64))
		})
		w.fails(sa, func() { sa.box.Post(func(time.Time) { panic("a test") }) })
		preface := wire.MessagePreface(7)
		w.fails(sa, func() {
			if err := w.a.m.serveStream(nil, &brokenStream{head: preface}, sa); err != nil {
				t.Error(err)
			}
		})
		w.fails(sa, func() { sa.protect("a test", func() { panic("a test") }) })
		if err := sa.call(func(time.Time) error { panic("a test") }); err != errFault {
			t.Errorf("a caller was told %v", err)
		}
		w.want(sa, Established, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := sa.Send(ctx, []byte("still here")); err != nil {
			t.Error(err)
		}
		if got, err := sb.Receive(ctx); err != nil || string(got) != "still here" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A brokenPlane fails whenever it is asked what waits too long.
type brokenPlane struct{ link.Plane }

func (brokenPlane) Expire(time.Time) time.Time { panic("session: internal error: a test") }

// A defect that each tick meets does not keep Close waiting.
func TestCloseEndsASessionWithADefect(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa, _ := w.pair(Settings{})
		w.want(sa, Established, 5*time.Second)
		sa.call(func(time.Time) error {
			sa.plane.Traffic().Queued.Store(1)
			sa.plane = brokenPlane{sa.plane}
			return nil
		})
		closed := make(chan struct{})
		go func() {
			sa.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(5 * time.Second):
			t.Fatal("Close waits")
		}
	})
}

// A defect that a stranger's handshake meets closes its connection, and is counted.
func TestDefectInAStrangersHandshake(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		c := new(brokenConn)
		w.a.m.greet(c)
		if !c.closed.Load() || w.a.m.Faults() != 1 {
			t.Errorf("closed %v, %d counted", c.closed.Load(), w.a.m.Faults())
		}
		sa, sb := w.pair(Settings{})
		w.want(sa, Established, 5*time.Second)
		w.want(sb, Established, 5*time.Second)
	})
}
