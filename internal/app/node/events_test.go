package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func TestEventsArePastOnesThenNewOnes(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a := w.hosts[0]
		bob, _ := w.join(a, w.hosts[1], "bob")
		var past []control.Event
		w.ok(events(w.Context(), a.m, false, func(e control.Event) error { past = append(past, e); return nil }))
		last := past[len(past)-1]
		if last.To != "established" || last.Name != "bob" || last.Peer != bob.DID().String() || last.Epoch != 1 || last.Link != "quic" || last.Time.Location() != time.UTC {
			w.Errorf("%+v", last)
		}
		go func() {
			time.Sleep(time.Second)
			bob.Rotate(w.Context())
			time.Sleep(time.Second) // the new epoch is in use; the rotation ends when the peer uses it, too
			a.m.Remove(bob.DID())
		}()
		enough, n := errors.New("enough"), 0
		err := events(w.Context(), a.m, true, func(e control.Event) error {
			if n < len(past) && e != past[n] {
				w.Errorf("%d: %+v, not %+v", n, e, past[n])
			}
			n++
			if e.To == "closed" {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || n < len(past)+3 {
			w.Error(n, len(past), err)
		}
	})
}

func TestFollowingEndsWithItsContextAndWithTheNode(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		show := func(control.Event) error { return nil }
		w.ok(within(w.T, time.Second, func(ctx context.Context) error { return events(ctx, w.hosts[0].m, true, show) }))
		go func() {
			time.Sleep(time.Second)
			w.hosts[0].m.Close()
		}()
		w.ok(events(w.Context(), w.hosts[0].m, true, show))
	})
}
