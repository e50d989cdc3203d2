package memnet

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

var (
	atA, atB = netip.MustParseAddrPort("192.0.2.1:4242"), netip.MustParseAddrPort("192.0.2.2:4242")
	// What A and B call their circuit.
	callsA, callsB = netip.MustParseAddrPort("[100::a]:1"), netip.MustParseAddrPort("[100::b]:1")
)

// joined is two nodes with a circuit of 10 ms, which brings what pass says.
func joined(pass func(packet []byte) bool) (a, b *Node) {
	n := New(1)
	a, b = n.Node(atA), n.Node(atB)
	join := func(from, to *Node, calls, called netip.AddrPort) {
		from.HandleVirtual(func(at netip.AddrPort, packets *wire.Batch) {
			for _, p := range packets.Slices() {
				if p := append([]byte(nil), p...); at == calls && pass(p) {
					time.AfterFunc(10*time.Millisecond, func() { to.ReceiveVirtual(called, [][]byte{p}) })
				}
			}
		})
	}
	join(a, b, callsA, callsB)
	join(b, a, callsB, callsA)
	return a, b
}

func dialled(t *testing.T, a, b *Node) (ca, cb link.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ca, err := a.Dial(ctx, wire.LinkQUIC, callsA)
	if err != nil {
		t.Fatal(err)
	}
	if cb, err = b.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	return ca, cb
}

// say sends a word from one end to the other.
func say(t *testing.T, ca, cb link.Conn) {
	t.Helper()
	out, err := ca.OpenStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in, err := cb.AcceptStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out.Write([]byte("hello"))
	out.Close()
	if got, err := io.ReadAll(in); string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	in.Close()
}

func TestConnectionsGoWhereTheirPacketsAreBrought(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		a, b := joined(func([]byte) bool { return true })
		begun := time.Now()
		ca, cb := dialled(t, a, b)
		if d := time.Since(begun); d != 20*time.Millisecond {
			t.Errorf("dialled in %v", d)
		}
		if ca.Remote() != callsA || cb.Remote() != callsB {
			t.Errorf("remotes %v and %v", ca.Remote(), cb.Remote())
		}
		_, x := ca.Binding()
		if _, y := cb.Binding(); x != y || x == [32]byte{} {
			t.Error("bindings differ")
		}
		begun = time.Now()
		say(t, ca, cb)
		if d := time.Since(begun); d != 10*time.Millisecond {
			t.Errorf("said in %v", d)
		}
		var recs wire.Batch
		recs.Append(make([]byte, 100))
		if n, err := ca.Path().Send(&recs); n != 0 || err != link.ErrOff {
			t.Errorf("%d records left: %v", n, err)
		}
		if a.Direct(callsA) != nil || a.Check(callsA) != nil {
			t.Error("a direct path, or a reason against dialling")
		}
		if _, err := a.Dial(t.Context(), wire.LinkUTCP, callsA); err != link.ErrOff {
			t.Error(err)
		}
		ca.Close("bye")
		<-cb.Done()
		time.Sleep(time.Millisecond)
		if cb.Err() == nil || a.Conns()+b.Conns() != 0 {
			t.Errorf("%v, %d connections left", cb.Err(), a.Conns()+b.Conns())
		}
	})
}

// Half of the packets are lost, and each third of the others is changed.
func TestPacketsAreSentUntilTheyArrive(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		chance := New(2).chance
		a, b := joined(func(p []byte) bool {
			if chance() < 1./3 {
				p[len(p)-1] ^= 1
			}
			return chance() < 0.5
		})
		ca, cb := dialled(t, a, b)
		for range 20 {
			say(t, ca, cb)
			say(t, cb, ca)
		}
		ca.Close("done")
		cb.Close("done")
		time.Sleep(time.Second)
	})
}

// An ended circuit is silence: a dial lasts until its context ends, a stream until the
// idle timeout.
func TestSilentCircuit(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		a, b := joined(func([]byte) bool { return !silent.Load() })
		ca, cb := dialled(t, a, b)
		silent.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := a.Dial(ctx, wire.LinkQUIC, callsA); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		begun := time.Now()
		st, err := ca.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st.Write([]byte("x"))
		<-ca.Done()
		if d := time.Since(begun); d != idleTimeout || !errors.Is(ca.Err(), errIdle) {
			t.Errorf("%v after %v", ca.Err(), d)
		}
		silent.Store(false)
		st, err = cb.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		st.Write([]byte("x"))
		<-cb.Done()
		if !errors.Is(cb.Err(), errKilled) {
			t.Error(cb.Err())
		}
	})
}
