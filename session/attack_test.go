package session

import (
	"context"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// forge runs a handshake in B's name over a connection of its own, from an
// address of its own, and spoils the message that step names: 0 M1, 1 M3, 2 M1
// bound to another connection, 3 a resumption, 4 noise.
func (w *world) forge(from *memnet.Node, step int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	conn, err := from.Dial(ctx, wire.LinkQUIC, w.a.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close("done")
	st, err := conn.OpenStream(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	st.SetDeadline(time.Now().Add(3 * time.Second))
	kind, value := conn.Binding()
	if step == 2 {
		value[0] ^= 1
	}
	c := handshake.Config{Identity: w.b.id, Binding: handshake.Binding{Kind: kind, Value: value}}
	id, _ := w.b.m.self.NewRecordID()
	params := wire.Params{RecordID: id, Epoch: 1 << 20, Incarnation: 77}
	if step == 4 {
		st.Write(make([]byte, 5000))
		return
	}
	if step == 3 {
		i, err := handshake.NewShortInitiator(c, w.a.id.KeySet(), handshake.Resumption(handshake.ResumeID{1}), handshake.Key{2}, params)
		if err != nil {
			w.t.Fatal(err)
		}
		m1r, _ := i.Start(nil)
		st.Write(m1r)
		connect.ReadMessage(st)
		return
	}
	i, err := handshake.NewInitiator(c, w.a.id.DID(), nil, params)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := i.Start(nil)
	for n := 0; err == nil && n < 3; n++ {
		if n == 1 && step == 0 || n == 2 && step == 1 {
			out[len(out)-1] ^= 1
		}
		if _, err = st.Write(out); err != nil {
			break
		}
		var msg []byte
		if msg, err = connect.ReadMessage(st); err == nil {
			out, _, err = i.Read(nil, msg)
		}
	}
}

// Scenario 1.4 and more: 1000 handshakes in B's name that prove nothing never
// disturb B's own session, nor keep B from making a new one.
func TestScenario1_4_NobodyLocksOutAPeer(t *testing.T) {
	heap := faults.WatchHeap()
	inWorld(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		drain(sa)
		attacker := w.net.Node(w.host(66).addr)
		before := sa.Status()
		for i := range 1000 {
			w.forge(attacker, i%5)
			if i%100 == 0 {
				if err := sb.Send(t.Context(), []byte("mine")); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(60 * time.Millisecond)
		}
		w.up(sa, 6*time.Second)
		if after := sa.Status(); after.Handshakes != before.Handshakes || after.Endpoint != before.Endpoint {
			t.Fatalf("before %+v, after %+v", before, after)
		}
		if n := len(sa.loop.halfOpen); n != 0 {
			t.Fatalf("%d half-open handshakes are left", n)
		}
		w.b.crash()
		w.b.up()
		w.b.peer(w.a, true, Settings{})
		sb, _ = w.b.m.Session(w.a.id.DID())
		w.want(sb, Established, 2*time.Second)
		attacker.Kill()
	})
	heap.End()
	faults.Report(t, "H11", true, "1000 handshakes in the name of B: B keeps its session, and makes another in 2 s; %v", heap)
}

// Streams on which nothing whole comes take no place: the peer gets in beside a
// hundred of them.
func TestIdleStreamsLockNobodyOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		attacker := w.net.Node(w.host(66).addr)
		defer attacker.Kill()
		for range 100 {
			conn, err := attacker.Dial(t.Context(), wire.LinkQUIC, w.a.addr)
			if err != nil {
				t.Fatal(err)
			}
			st, err := conn.OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			st.Write([]byte{1})
		}
		w.a.peer(w.b, false, Settings{})
		sb := w.b.peer(w.a, true, Settings{})
		w.want(sb, Established, time.Second)
	})
}
