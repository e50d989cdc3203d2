package connect

import (
	"context"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/test/faults"
)

func w4(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

// A prefix that asks too often is slowed down, and nobody else.
func TestRateLimitIsPerPrefix(t *testing.T) {
	l := NewLimits(perPrefixRate, perPrefixBurst)
	now := time.Now()
	bad, good := w4(10, 0, 0, 66), w4(10, 0, 0, 2)
	taken := 0
	for range 1000 {
		if l.Allow(bad, now) {
			taken++
		}
	}
	if taken != perPrefixBurst || !l.Allow(good, now) || !l.Allow(bad, now.Add(time.Second)) {
		t.Fatalf("%d of 1000 taken from one address", taken)
	}
	for i := range maxPrefixes + 10 {
		l.Allow(w4(11, byte(i>>16), byte(i>>8), byte(i)), now)
	}
	if len(l.byPrefix) > maxPrefixes {
		t.Fatalf("%d prefixes are remembered", len(l.byPrefix))
	}
	faults.Report(t, "H11", true, "%d of 1000 taken from one prefix, others untouched", taken)
}

// tryBegin is begin without waiting.
func (l *Limits) tryBegin(from netip.Addr) bool {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return l.begin(ctx, nil, from) == nil
}

// Places are taken by whoever has sent a whole first message, and one prefix
// never has more than 8 of the 64.
func TestPlacesArePerPrefix(t *testing.T) {
	l := NewLimits(perPrefixRate, perPrefixBurst)
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
	l := NewLimits(perPrefixRate, perPrefixBurst)
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
	l, now, nat := NewLimits(perPrefixRate, perPrefixBurst), time.Now(), w4(10, 0, 0, 66)
	for i := range 500 {
		if !l.Allow(nat, now) {
			t.Fatalf("the %dth peer behind one address is refused", i+1)
		}
		l.proven(nat)
	}
	for range 2 * perPrefixBurst {
		l.proven(nat)
	}
	more := 0
	for l.Allow(nat, now) {
		more++
	}
	if more > 2*perPrefixBurst {
		t.Errorf("%d at once", more)
	}
}

// More sources than the table of prefixes holds: newcomers still get in.
func TestManySourcesLockNobodyOut(t *testing.T) {
	l := NewLimits(perPrefixRate, perPrefixBurst)
	now := time.Now()
	for i := range maxPrefixes {
		l.Allow(w4(11, byte(i>>16), byte(i>>8), byte(i)), now)
	}
	flooded := 0
	for range 10_000 { // one of those that found the table full
		if l.Allow(w4(12, 0, 0, 1), now) {
			flooded++
		}
	}
	in := 0
	for i := range 1000 {
		if l.Allow(w4(13, 0, byte(i>>8), byte(i)), now) {
			in++
		}
	}
	if flooded > perPrefixBurst || in < 900 || len(l.byPrefix) > maxPrefixes {
		t.Errorf("%d of the flood, %d of 1000 newcomers, %d prefixes", flooded, in, len(l.byPrefix))
	}
	faults.Report(t, "S28", in >= 900, "%d sources fill the table, one more floods: %d of 1000 newcomers are admitted at once (40 before)", maxPrefixes, in)
}
