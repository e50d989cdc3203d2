package rotation

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

func TestFirstContactAndAShortRotation(t *testing.T) {
	for _, smaller := range []bool{true, false} {
		w := newWorld(t, 1, Config{})
		logTo(t, w)
		n := w.a
		if !smaller {
			n = w.b
		}
		w.connect(n)
		if got := n.m.Status().Current; got != 1 {
			t.Errorf("first epoch has number %d", got)
		}
		n.do(n.m.Rotate(w.now))
		w.run(time.Second)
		w.wantAgreed()
		if got := n.m.Status(); got.Current != 2 || got.Previous != 1 || got.Rotating {
			t.Errorf("after a rotation: %+v", got)
		}
		w.run(Grace)
		for _, n := range w.nodes() {
			if len(n.recv) != 1 {
				t.Errorf("%s: %d epochs receivable after the grace", n.name, len(n.recv))
			}
		}
	}
}

// R4: both sides rotate in the same instant.
func TestBothRotateInTheSameInstant(t *testing.T) {
	w := newWorld(t, 2, Config{})
	w.connect(w.a)
	worst, sent := 0, 0
	talk := func(n int) {
		for range n {
			w.a.talk()
			w.b.talk()
			sent += 2
			w.run(5 * time.Millisecond)
		}
	}
	before := w.received
	for i := range 1000 {
		starts := w.a.starts + w.b.starts
		talk(2)
		w.a.do(w.a.m.Rotate(w.now))
		w.b.do(w.b.m.Rotate(w.now))
		talk(20)
		w.run(time.Second)
		w.wantAgreed()
		worst = max(worst, w.a.starts+w.b.starts-starts)
		if got, want := w.a.m.Status().Current, uint32(i+2); got != want {
			t.Fatalf("round %d: epoch %d, want %d: one rotation, not two", i, got, want)
		}
	}
	if w.unknown != 0 || w.received-before < sent || worst > 2 {
		t.Errorf("%d of %d records came, %d of no epoch; %d handshakes in one round", w.received-before, sent, w.unknown, worst)
	}
	faults.Report(t, "R4", true, "1000 crossings of the machines: one epoch after each, at most %d handshakes for it, %d records sent all the while, 0 lost", worst, sent)
}

func TestThousandRotationsOnABadNetwork(t *testing.T) {
	for _, talk := range []bool{true, false} {
		w := newWorld(t, 3, Config{})
		w.connect(w.b)
		w.loss, w.dup = 0.3, 0.2
		w.delay = func() time.Duration { return time.Duration(w.rng.IntN(400)) * time.Millisecond }
		for i := 0; w.a.m.Status().Current < 1000; i++ {
			n := w.nodes()[i%2]
			n.do(n.m.Rotate(w.now))
			for range 4 {
				if talk {
					w.a.talk()
					w.b.talk()
				}
				w.run(time.Second)
			}
			if i > 5000 {
				t.Fatalf("no progress: %+v", w.a.m.Status())
			}
		}
		w.loss = 0
		w.run(20 * time.Second)
		w.wantAgreed()
	}
}
