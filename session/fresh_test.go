package session

import (
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// A router sends UDP from the port that listens to where the peer is no more, for as
// long as it comes. The session is back by TCP at once, and by UDP from another port
// within 45 s (SPEC 6.10).
func TestStaleTranslationIsLeftByANewPort(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.a.node.Off[link.KindUTCP], w.b.node.Off[link.KindUTCP] = false, false
		w.b.peer(w.a, false, Settings{})
		s := w.a.peer(w.b, true, Settings{})
		w.want(s, Established, 5*time.Second)

		w.b.crash()
		w.b.up()
		w.b.node.Off[link.KindUTCP] = false
		w.b.peer(w.a, false, Settings{})
		w.a.node.Stale(w.b.addr)
		w.a.m.NetworkChanged() // so that it looks
		start := time.Now()
		for s.Status().Carrier != "utcp" {
			if time.Sleep(10 * time.Millisecond); time.Since(start) > 10*time.Second {
				t.Fatalf("not by TCP: %+v", s.Status())
			}
		}
		t.Logf("by TCP after %v", time.Since(start))
		start = time.Now()
		for s.Status().Carrier != "datagram" {
			if time.Sleep(10 * time.Millisecond); time.Since(start) > 45*time.Second+returnHold {
				t.Fatalf("not by UDP: %+v", s.Status())
			}
		}
		t.Logf("by UDP after %v", time.Since(start))
	})
}
