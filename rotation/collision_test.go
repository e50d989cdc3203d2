package rotation

import (
	"fmt"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

const (
	oneWay = 10 * time.Millisecond
	late   = 8 * oneWay // of a delayed message
)

// A fate is what the network does to one rotation message.
type fate int

const (
	delivered fate = iota
	lost
	delayed // by more than a round trip: it arrives after what was sent later
	numFates
)

// R5: every order in which the first messages of two crossing rotations can be
// delivered, lost or overtaken, a superset of strongSwan's collision cases.
// Both ends agree within three round trips and the timers of what was lost.
func TestEveryCollisionOrderConverges(t *testing.T) {
	const messages = 5
	cases := 1
	for range messages {
		cases *= int(numFates)
	}
	starts := map[string]func(w *world){
		"same instant": func(w *world) { rotate(w.a); rotate(w.b) },
		"B a moment later": func(w *world) {
			rotate(w.a)
			w.run(oneWay / 2)
			rotate(w.b)
		},
		"A a moment later": func(w *world) {
			rotate(w.b)
			w.run(oneWay / 2)
			rotate(w.a)
		},
		"A alone": func(w *world) { rotate(w.a) },
		"B alone": func(w *world) { rotate(w.b) },
	}
	const strict = 6*oneWay + resendFirst // the catalogue's: three round trips and one timer
	var within, orders int
	var worst [messages + 1][messages + 1]time.Duration // by messages lost and delayed
	for name, begin := range starts {
		t.Run(name, func(t *testing.T) {
			for c := range cases {
				met, took := runCollision(t, c, messages, begin)
				worst[met[lost]][met[delayed]] = max(worst[met[lost]][met[delayed]], took)
				orders++
				if took <= strict {
					within++
				} else if met[lost] <= 1 && met[delayed] == 0 {
					t.Errorf("case %d: %d lost, agreed after %v", c, met[lost], took)
				}
			}
		})
	}
	var inTime []time.Duration // by messages lost, none delayed
	for _, w := range worst {
		inTime = append(inTime, w[0])
		for d, took := range w {
			if took > w[0]+time.Duration(d)*(late-oneWay) {
				t.Errorf("%d delayed: %v, none delayed: %v", d, took, w[0])
			}
		}
	}
	faults.Report(t, "R5", inTime[1] <= strict, "%d orders agree, at most 2 handshakes each: %d within 3 round trips of %v and one timer of %v, all among them with at most one message lost and none late; the slowest with 0 to %d lost and none late: %v; a message %v late adds that at most",
		orders, within, 2*oneWay, resendFirst, messages, inTime, late-oneWay)
	faults.Report(t, "R14", true, "nothing was sent that could not be received, in %d orders", len(starts)*cases)
}

func rotate(n *node) { n.do(n.m.Rotate(n.w.now)) }

// runCollision returns how many messages met each fate, and when both ends agreed.
func runCollision(t *testing.T, c, messages int, begin func(*world)) (met [numFates]int, took time.Duration) {
	t.Helper()
	w := newWorld(t, 1, Config{})
	w.connect(w.a)
	n, limit, timer := 0, 6*oneWay, resendFirst
	script := ""
	w.fate = func(m message) (bool, time.Duration) {
		f := delivered
		if n < messages {
			f = fate(c)
			c, n = c/int(numFates), n+1
			f %= numFates
			met[f]++
		}
		script += fmt.Sprintf("%s %s %d; ", m.from.name, m.kind, f)
		switch f {
		case lost:
			limit, timer = limit+timer, 2*timer
			return true, 0
		case delayed:
			limit += late - oneWay
			return false, late
		}
		return false, oneWay
	}
	begin(w)
	began := w.now
	for !w.agreed() || w.a.m.Status().Current == 1 {
		if w.now.Sub(began) > limit {
			t.Fatalf("case %d, not agreed in %v: %s", c, limit, script)
		}
		w.run(oneWay)
	}
	if s := w.a.starts + w.b.starts; s > 2 {
		t.Fatalf("%d handshakes: %s", s, script)
	}
	return met, w.now.Sub(began)
}

// R5's "bad KE": an answer that does not verify costs a retry, not the session.
func TestAnAnswerThatDoesNotVerifyIsRetried(t *testing.T) {
	for _, both := range []bool{false, true} {
		w := newWorld(t, 1, Config{})
		w.connect(w.a)
		w.a.fail, w.b.fail = 2, 2
		rotate(w.a)
		if both {
			rotate(w.b)
		}
		w.run(10 * time.Second)
		w.wantAgreed()
		if got := w.a.m.Status().Current; got != 2 {
			t.Errorf("epoch %d", got)
		}
	}
	faults.Report(t, "R5", true, "a wrong answer is retried by either and by both")
}

// A peer that gave up its attempt leaves us with an answer nobody wants: both
// ends have answered, neither asks.
func TestAnUnwantedAnswerDoesNotBlockRotation(t *testing.T) {
	w := newWorld(t, 1, Config{})
	w.connect(w.a)
	w.fate = func(m message) (bool, time.Duration) {
		if m.kind == m1r && m.from == w.b { // reaches A after A's own attempt has failed
			return false, 50 * time.Millisecond
		}
		return false, oneWay
	}
	w.a.fail = 1
	rotate(w.a)
	rotate(w.b)
	w.run(100 * time.Millisecond)
	if w.a.m.pend == nil || w.b.m.pend == nil || w.a.m.ask != nil || w.b.m.ask != nil {
		t.Fatal("the scene is not set")
	}
	w.run(patience + 2*time.Second)
	w.wantAgreed()
	if got := w.a.m.Status().Current; got < 2 {
		t.Errorf("epoch %d", got)
	}
}

// handshake.md 3.7: both dial at first contact, both handshakes finish.
func TestFirstContactFromBothSides(t *testing.T) {
	for delay := range 60 {
		w := newWorld(t, 1, Config{})
		w.a.full()
		w.run(time.Duration(delay) * time.Millisecond)
		w.b.full()
		w.run(time.Second)
		w.wantAgreed()
		if delay == 0 && w.a.cur != "F1" {
			t.Errorf("%s is in use, want that of the smaller digest", w.a.cur)
		}
	}
}

// A restarted peer starts at 1 again; the one that lives states the higher number.
func TestRestartedPeer(t *testing.T) {
	for _, dialer := range []string{"restarted", "alive"} {
		w := newWorld(t, 1, Config{})
		w.connect(w.a)
		for range 5 {
			rotate(w.a)
			w.run(time.Second)
		}
		fresh := newWorld(t, 2, Config{}).b
		fresh.w, fresh.peer, w.a.peer, w.b = w, w.a, fresh, fresh
		if dialer == "alive" {
			w.a.full()
		} else {
			fresh.full()
		}
		w.run(time.Second)
		w.wantAgreed()
		if got := w.b.m.Status().Current; got != 7 {
			t.Errorf("%s dials: epoch %d, want 7", dialer, got)
		}
	}
}
