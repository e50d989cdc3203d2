package joinproxy

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

func who(n byte) DID { return DID{n} }

// A line joins two proxies: a hub, 1, and an inviting node, 2.
type line struct {
	hub, home *Proxy
	mu        sync.Mutex
	lose      int // frames that are lost first
	sent      int
	asked     []wire.ProxyJoin
	here      bool
	answer    func(f wire.ProxyJoin) (bool, []byte)
}

func newLine() *line {
	l := &line{here: true, answer: func(wire.ProxyJoin) (bool, []byte) { return true, []byte("yes") }}
	to := func(p **Proxy, from DID) func(DID, []byte) bool {
		return func(_ DID, f []byte) bool {
			l.mu.Lock()
			l.sent++
			lost := l.sent <= l.lose
			l.mu.Unlock()
			if !lost {
				(*p).Frame(from, bytes.Clone(f))
			}
			return true
		}
	}
	none := func(DID, DID, [4]byte, []byte) (bool, []byte) { return false, nil }
	l.hub = New(Config{Send: to(&l.home, who(1)), Here: func(DID) bool { return l.here }, IsHub: func(DID) bool { return false }, Decide: none})
	l.home = New(Config{Send: to(&l.hub, who(2)), Here: func(DID) bool { return true }, IsHub: func(d DID) bool { return d == who(1) },
		Decide: func(hub, joining DID, id [4]byte, sealed []byte) (bool, []byte) {
			f := wire.ProxyJoin{Joining: joining, ID: id, Sealed: sealed}
			l.asked = append(l.asked, f)
			return l.answer(f)
		}})
	return l
}

func (l *line) close() { l.hub.Close(); l.home.Close() }

func join() Join {
	return Join{Inviting: who(2), Joining: who(3), ID: [4]byte{4}, Sealed: []byte("let me in")}
}

func inBubble(t *testing.T, f func(t *testing.T, l *line)) {
	bubble.Test(t, func(t *testing.T) {
		l := newLine()
		f(t, l)
		l.close()
	})
}

func TestAJoinPassesTheHub(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		a, err := l.hub.Ask(t.Context(), join())
		if err != nil || !a.Agreed || string(a.Sealed) != "yes" {
			t.Fatal(a, err)
		}
		if len(l.asked) != 1 || l.asked[0].Joining != who(3) || string(l.asked[0].Sealed) != "let me in" || l.asked[0].ID != [4]byte{4} {
			t.Errorf("%+v", l.asked)
		}
		synctest.Wait()
		if len(l.hub.waiting) != 0 || l.home.working {
			t.Error("something is left")
		}
	})
}

func TestALostFrameIsSentAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		l.lose = 1
		start := time.Now()
		if a, err := l.hub.Ask(t.Context(), join()); err != nil || !a.Agreed || time.Since(start) != askAgain {
			t.Error(a, err, time.Since(start))
		}
	})
}

// A refusal is an answer, with or without a word to the joining node.
func TestARefusalComesBack(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		l.answer = func(wire.ProxyJoin) (bool, []byte) { return false, nil }
		if a, err := l.hub.Ask(t.Context(), join()); err != nil || a.Agreed || len(a.Sealed) != 0 {
			t.Error(a, err)
		}
	})
}

// Nothing leaves for an inviting node that is away; one that is there and silent is
// told from it: it may have agreed.
func TestAwayIsNotSilent(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		l.here = false
		if _, err := l.hub.Ask(t.Context(), join()); !errors.Is(err, ErrAway) || l.sent != 0 {
			t.Error(err, l.sent)
		}
		l.here, l.lose = true, 1000
		start := time.Now()
		if _, err := l.hub.Ask(t.Context(), join()); !errors.Is(err, ErrSilent) || time.Since(start) != askFor {
			t.Error(err, time.Since(start))
		}
	})
}

// Only the node that was asked answers, and only what it was asked.
func TestAnswersOfOthersDoNotCount(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		l.lose = 1000
		done := make(chan error)
		go func() {
			_, err := l.hub.Ask(t.Context(), join())
			done <- err
		}()
		synctest.Wait()
		l.hub.mu.Lock()
		numbers := slices.Collect(maps.Keys(l.hub.waiting))
		l.hub.mu.Unlock()
		for _, number := range numbers {
			good := wire.ProxyJoin{Step: wire.ProxyAgreed, Number: number, ID: [4]byte{4}, Joining: who(3), Sealed: []byte("yes")}
			other, elsewhere, unknown := good, good, good
			other.Joining, elsewhere.ID, unknown.Number = who(9), [4]byte{5}, number+1
			l.hub.Frame(who(9), good.Append(nil))
			for _, f := range []wire.ProxyJoin{other, elsewhere, unknown} {
				l.hub.Frame(who(2), f.Append(nil))
			}
		}
		if err := <-done; !errors.Is(err, ErrSilent) {
			t.Error(err)
		}
	})
}

// SPEC R-6.11-6: what a peer brings that is no hub of this node is dropped.
func TestOnlyAHubIsHeard(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		f := wire.ProxyJoin{Step: wire.ProxyAsks, Joining: who(3), Sealed: []byte("x")}.Append(nil)
		if !l.home.Frame(who(7), f) || l.home.Frame(who(1), []byte{wire.FrameHome, 0}) {
			t.Error("frames are not told apart")
		}
		synctest.Wait()
		if len(l.asked) != 0 || len(l.home.taken) != 0 {
			t.Error(l.asked, l.home.taken)
		}
	})
}

// A hub that floods is heard five times a second, and what waits is bounded.
func TestAFloodingHubIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		hold := make(chan struct{})
		l.answer = func(wire.ProxyJoin) (bool, []byte) { <-hold; return false, []byte("no") }
		f := wire.ProxyJoin{Step: wire.ProxyAsks, Joining: who(3), Sealed: []byte("x")}.Append(nil)
		for range 1000 {
			for range 50 {
				l.home.Frame(who(1), f)
			}
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if n := len(l.home.queue); n > maxQueue {
			t.Errorf("%d wait", n)
		}
		close(hold)
		synctest.Wait()
		if n := len(l.asked); n > maxQueue+1 {
			t.Errorf("%d of 50000 were decided about while the first was held", n)
		}
		l.asked = nil
		time.Sleep(second)
		for range 50 {
			l.home.Frame(who(1), f)
		}
		synctest.Wait()
		if len(l.asked) != perSecond {
			t.Errorf("%d of 50 in one second", len(l.asked))
		}
		faults.Report(t, "N21", !t.Failed(), "5 of 50 a second, at most 8 wait of 50,000")
	})
}

func TestJoinsThatWaitAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, l *line) {
		l.lose = 1 << 30
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		ask := func(inviting byte) {
			j := join()
			j.Inviting = who(inviting)
			_, err := l.hub.Ask(ctx, j)
			done <- err
		}
		for n := range maxAsks / maxAsksOf {
			for range maxAsksOf {
				go ask(byte(n + 10))
			}
		}
		synctest.Wait()
		go ask(10) // one too many of one node
		if err := <-done; !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		go ask(99) // and of all
		if err := <-done; !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		cancel()
		for range maxAsks {
			if err := <-done; !errors.Is(err, ErrSilent) {
				t.Error(err)
			}
		}
		if len(l.hub.waiting) != 0 {
			t.Error("something is left")
		}
	})
}
