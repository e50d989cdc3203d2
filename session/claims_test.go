package session

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// A stranger that opens a second stream before its handshake is answered loses the
// connection: whatever it has us hold is let go.
// SPEC R-6.5-1.
func TestSecondStreamEndsAStranger(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stranger := w.net.Node(w.host(4).addr)
		defer stranger.Kill()
		conn, err := stranger.Dial(t.Context(), wire.LinkQUIC, w.a.addr)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			st, err := conn.OpenStream(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			write(t, st, []byte{1})
		}
		time.Sleep(100 * time.Millisecond)
		if !ended(conn.Done()) {
			t.Error("the connection goes on")
		}
	})
}

// What one claim may cost (SPEC 6.5).
const (
	openPerClaim  = 2 // handshakes at once
	claimBurst    = 8 // answers at once, and then one a second
	ownHandshakes = 5 // handshakes a second on a peer's own connections, and at once
)

// stall makes a handshake in B's name, from an address of its own, up to M2, and
// never sends M3. It returns whether M2 came.
func (w *world) stall(from *memnet.Node) (answered bool, conn link.Conn) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	conn, err := from.Dial(ctx, wire.LinkQUIC, w.a.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := conn.OpenStream(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	st.SetDeadline(time.Now().Add(3 * time.Second))
	kind, value := conn.Binding()
	id, _ := w.b.m.self.NewRecordID()
	i, err := handshake.NewInitiator(handshake.Config{Identity: w.b.id, Binding: handshake.Binding{Kind: kind, Value: value}}, w.a.id.DID(), nil,
		wire.Params{RecordID: id, Epoch: 1, Incarnation: 77})
	if err != nil {
		w.t.Fatal(err)
	}
	_, res, err := connect.Exchange(st, i)
	if err == nil {
		res.Erase()
	}
	return err == nil, conn
}

// A claim is no event before its proof, and a peer with ten addresses that never
// proves itself has two handshakes open, so that others get in.
func TestUnprovenClaims(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sb := w.a.peer(w.b, false, Settings{})
		c := w.host(3)
		c.up()
		defer c.down()
		w.a.peer(c, false, Settings{})
		answered, most := 0, 0
		for i := range 10 {
			from := w.net.Node(netip.AddrPortFrom(w4(10, 0, 1, byte(i)), 4242))
			defer from.Kill()
			if ok, _ := w.stall(from); ok {
				answered++
			}
			most = max(most, w.a.m.responder.Answering())
		}
		if st := sb.State(); st != Idle || len(w.a.m.History()) != 0 {
			t.Errorf("state %v, %v", st, w.a.m.History())
		}
		if answered > claimBurst+1 || most > openPerClaim+1 {
			t.Errorf("%d answered, %d open at once", answered, most)
		}
		took := w.want(c.peer(w.a, true, Settings{}), Established, time.Second)
		faults.Report(t, "S25", took < 700*time.Millisecond, "10 handshakes in one peer's name without M3: %d answered, %d open at once, no event; another node's session after %v", answered, most, took)
		time.Sleep(6 * time.Second)
		if n := w.a.m.responder.Answering(); sb.State() != Idle || n != 0 {
			t.Errorf("state %v, %d half-open", sb.State(), n)
		}
	})
}

// Whoever uses up what a claim has, from elsewhere, takes nothing from the peer at
// the address where it last proved itself.
func TestClaimsFromElsewhereLockNobodyOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		sa := w.a.peer(w.b, false, Settings{})
		w.b.peer(w.a, true, Settings{})
		w.want(sa, Established, time.Second)
		w.b.crash()
		for i := range claimBurst + 4 {
			from := w.net.Node(netip.AddrPortFrom(w4(10, 0, 1, byte(i)), 4242))
			defer from.Kill()
			w.stall(from)
		}
		w.b.up()
		w.want(w.b.peer(w.a, true, Settings{}), Established, time.Second)
	})
}

// Garbage M1s on a peer's own connection: five a second cost key agreements, whatever
// comes; the peer's session stays.
func TestOwnHandshakesAreLimited(t *testing.T) {
	const seconds = 10
	inWorld(t, func(t *testing.T, w *world) {
		sa := w.a.peer(w.b, false, Settings{})
		sb := w.b.peer(w.a, true, Settings{})
		w.want(sa, Established, time.Second)
		w.want(sb, Established, time.Second)
		var conn link.Conn
		var known *handshake.PeerKeys
		sb.call(func(time.Time) error {
			conn, known = sb.loop.paths.StreamConn(), sb.loop.attempts.Known.Valid(time.Now())
			return nil
		})
		kind, value := conn.Binding()
		id, _ := w.b.m.self.NewRecordID()
		i, err := handshake.NewInitiator(handshake.Config{Identity: w.b.id, Binding: handshake.Binding{Kind: kind, Value: value}}, w.a.id.DID(), known,
			wire.Params{RecordID: id, Epoch: 2, Incarnation: 77})
		if err != nil {
			t.Fatal(err)
		}
		m1, err := i.Start(nil)
		if err != nil {
			t.Fatal(err)
		}
		i.Close()
		m1[len(m1)-1] ^= 1
		ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
		defer cancel()
		var done, sent atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					st, err := conn.OpenStream(ctx)
					if err != nil {
						return
					}
					st.SetDeadline(time.Now().Add(5 * time.Second))
					st.Write(m1)
					sent.Add(1)
					if st.Read(make([]byte, 1)); ctx.Err() == nil {
						done.Add(1)
					}
					st.Close()
				}
			})
		}
		wg.Wait()
		bound := int64(seconds*ownHandshakes + ownHandshakes + 1)
		if done.Load() > bound {
			t.Errorf("%d of %d handshakes were looked at in %d s", done.Load(), sent.Load(), seconds)
		}
		if _, err := sb.Ping(t.Context()); err != nil || sa.State() != Established {
			t.Errorf("%v, %v", err, sa.State())
		}
		faults.Report(t, "S9", done.Load() <= bound, "%d garbage M1s looked at in %d s (20,623 in 7 s before), the session stays", done.Load(), seconds)
	})
}

func ended(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
