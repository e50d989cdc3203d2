package node

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/memnet"
)

func (h *host) rotate(peer string) map[string]control.Rotated {
	h.w.Helper()
	got := map[string]control.Rotated{}
	h.w.ok(within(h.w.T, control.RotateTime, func(ctx context.Context) error {
		all, err := rotate(ctx, h.m, peer)
		for _, r := range all {
			got[r.Name] = r
			r.DID = ""
		}
		return err
	}))
	return got
}

// One peer that cannot keeps nobody from new keys, and each is answered for.
func TestRotateAnswersForEachPeer(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a := w.hosts[0]
		bob, atB := w.join(a, w.hosts[1], "bob")
		carol := a.add(w.hosts[2], "carol", false, session.Settings{})
		want := map[string]control.Rotated{
			"bob":   {DID: bob.DID().String(), Name: "bob", Epoch: 2},
			"carol": {DID: carol.DID().String(), Name: "carol", Error: "not established but idle"},
		}
		if d := cmp.Diff(want, a.rotate("")); d != "" {
			w.Error(d)
		}
		time.Sleep(100 * time.Millisecond)
		if atB.Status().Epoch != 2 {
			w.Error("the peer has epoch", atB.Status().Epoch)
		}
		if got := a.rotate("bob"); len(got) != 1 || got["bob"].Epoch != 3 {
			w.Error(got)
		}
		w.net.SetAll(memnet.Line{Cut: true})
		if got := a.rotate("bob")["bob"]; got.Error == "" || got.Epoch != 3 {
			w.Error(got)
		}
	})
}
