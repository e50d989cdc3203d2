package session

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
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
	id, _ := newRecordID(w.b.m.c.Rand)
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
		readMessage(st)
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
		if msg, err = readMessage(st); err == nil {
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
		if n := len(sa.halfOpen); n != 0 {
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

// A prefix that asks too often is slowed down, and nobody else.
func TestRateLimitIsPerPrefix(t *testing.T) {
	l := newLimiters(perPrefixRate, perPrefixBurst)
	now := time.Now()
	bad, good := w4(10, 0, 0, 66), w4(10, 0, 0, 2)
	taken := 0
	for range 1000 {
		if l.allow(bad, now) {
			taken++
		}
	}
	if taken != perPrefixBurst || !l.allow(good, now) || !l.allow(bad, now.Add(time.Second)) {
		t.Fatalf("%d of 1000 taken from one address", taken)
	}
	for i := range maxPrefixes + 10 {
		l.allow(w4(11, byte(i>>16), byte(i>>8), byte(i)), now)
	}
	if len(l.byPrefix) > maxPrefixes {
		t.Fatalf("%d prefixes are remembered", len(l.byPrefix))
	}
	faults.Report(t, "H11", true, "%d of 1000 taken from one prefix, others untouched", taken)
}

// tryBegin is begin without waiting.
func (l *limiters) tryBegin(from netip.Addr) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return l.begin(ctx, nil, from) == nil
}

// Places are taken by whoever has sent a whole first message, and one prefix
// never has more than 8 of the 64.
func TestPlacesArePerPrefix(t *testing.T) {
	l := newLimiters(perPrefixRate, perPrefixBurst)
	taken := 0
	for l.tryBegin(w4(10, 0, 0, 66)) {
		taken++
	}
	if taken != perPrefixOpen || !l.tryBegin(w4(10, 0, 0, 2)) {
		t.Fatalf("one address takes %d places", taken)
	}
	for i := range 255 {
		for l.tryBegin(w4(12, 0, 0, byte(i))) {
			continue
		}
	}
	if l.halfOpen != maxHalfOpen {
		t.Fatalf("%d handshakes are answered at once", l.halfOpen)
	}
	for range perPrefixOpen {
		l.end(w4(10, 0, 0, 66))
	}
	if !l.tryBegin(w4(10, 0, 0, 66)) || len(l.open) == 0 || len(l.queue) != 0 {
		t.Fatal("a place that was given back is gone")
	}
}

// A handshake that finds no place waits for one, in its turn, and holds up no
// other prefix.
func TestHandshakesWaitForAPlace(t *testing.T) {
	l := newLimiters(perPrefixRate, perPrefixBurst)
	crowded, other := w4(10, 0, 0, 66), w4(10, 0, 0, 2)
	for l.tryBegin(crowded) {
		continue
	}
	ctx, cancel := context.WithCancel(t.Context())
	var got [2]chan error
	for i, ctx := range []context.Context{t.Context(), ctx} {
		got[i] = make(chan error, 1)
		go func() { got[i] <- l.begin(ctx, nil, crowded) }()
		for n := 0; n <= i; { // it is in the queue
			l.mu.Lock()
			n = len(l.queue)
			l.mu.Unlock()
			runtime.Gosched()
		}
	}
	if !l.tryBegin(other) {
		t.Error("those that wait hold up another prefix")
	}
	l.end(crowded)
	if err := <-got[0]; err != nil {
		t.Error("the first in the queue:", err)
	}
	cancel()
	if err := <-got[1]; err == nil {
		t.Error("a ninth place")
	}
	if len(l.queue) != 0 || l.open[netaddr.SourceOf(crowded)] != perPrefixOpen {
		t.Errorf("%d wait, %d have a place", len(l.queue), l.open[netaddr.SourceOf(crowded)])
	}
}

// Whoever proves a peer does not use up what others behind its address may ask.
func TestProvenHandshakesAreNotCharged(t *testing.T) {
	l, now, nat := newLimiters(perPrefixRate, perPrefixBurst), time.Now(), w4(10, 0, 0, 66)
	for i := range 500 {
		if !l.allow(nat, now) {
			t.Fatalf("the %dth peer behind one address is refused", i+1)
		}
		l.proven(nat)
	}
	for range 2 * perPrefixBurst {
		l.proven(nat)
	}
	more := 0
	for l.allow(nat, now) {
		more++
	}
	if more > 2*perPrefixBurst {
		t.Errorf("%d at once", more)
	}
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
