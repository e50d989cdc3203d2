package node

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/memnet"
	"github.com/libertaria-project/l2tun/session"
)

// What a caller is told of a ping and of a carrier, whatever state the peer is in.
func TestPingAndPreferAnswers(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a, b, c := w.hosts[0], w.hosts[1], w.hosts[2]
		w.join(a, b, "bob")
		a.add(c, "eve", false, session.Settings{})
		h := handler{&node{manager: a.m}}
		pong, err := h.Ping(w.Context(), "bob")
		if err != nil || pong.Name != "bob" || pong.DID != b.id.DID().String() || pong.Link != "quic" || pong.RTTMS < 10 || pong.Remote != b.addr.String() || pong.Epoch == 0 {
			w.Errorf("%+v %v", pong, err)
		}
		_, err = h.Ping(w.Context(), "eve")
		w.wantRefused(err, http.StatusConflict, "there is no way to eve at the moment: its session is idle")
		_, err = h.Ping(w.Context(), "nobody")
		w.wantRefused(err, http.StatusNotFound, `there is no peer "nobody"; l2tun status lists those of the node`)
		w.net.SetAll(memnet.Line{Cut: true})
		err = within(w.T, time.Second, func(ctx context.Context) error {
			_, err := h.Ping(ctx, "bob")
			return err
		})
		w.wantRefused(err, http.StatusGatewayTimeout, "bob did not answer in time; its session is established")
		w.wantRefused(h.Prefer(w.Context(), "bob", "pigeon"), http.StatusBadRequest, `"pigeon" is no carrier; there are direct, datagram and utcp`)
		w.wantRefused(h.Prefer(w.Context(), "nobody", ""), http.StatusNotFound, `there is no peer "nobody"; l2tun status lists those of the node`)
		w.ok(h.Prefer(w.Context(), "bob", "utcp"))
		w.ok(h.Prefer(w.Context(), "bob", ""))
	})
}

// Rates are those of the last samples; a new session of a peer begins anew.
func TestRates(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		s, _ := w.join(w.hosts[0], w.hosts[1], "bob")
		r := rates{wake: make(chan struct{}, 1)}
		all, now, d, moved := []*session.Session{s}, time.Now(), s.DID(), s.Plane().Traffic()
		rate := func() (rx, tx float64) { return r.rate(d, moved.RxBytes.Load(), moved.TxBytes.Load(), now) }
		if rx, tx := rate(); rx != 0 || tx != 0 || len(r.wake) != 1 {
			w.Error(rx, tx, len(r.wake))
		}
		for i := range 20 {
			if again := r.take(all, now); again != sampleEvery {
				w.Error("samples are not taken while something moves", i, again)
			}
			moved.RxBytes.Add(1000)
			moved.TxBytes.Add(uint64(i * 10))
			now = now.Add(time.Second)
		}
		if rx, tx := rate(); rx != 1000 || tx != (15+16+17+18+19)*10/5 || len(r.of[d]) != rateSamples {
			w.Error(rx, tx, r.of)
		}
		moved.RxBytes.Store(5)
		if rx, tx := rate(); rx != 0 || tx != 0 {
			w.Error("of a new session", rx, tx)
		}
		r.take(nil, now)
		if rx, _ := r.rate(did.DID{}, 0, 0, now); rx != 0 || len(r.of) != 0 {
			w.Error(r.of)
		}
	})
}

// A node where nothing moves takes few samples; who asks then gets the rate since
// the last one, and the samples of the seconds that follow.
func TestSamplesAreRareWhileNothingMoves(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		s, _ := w.join(w.hosts[0], w.hosts[1], "bob")
		r := rates{wake: make(chan struct{}, 1)}
		all, now, moved := []*session.Session{s}, time.Now(), s.Plane().Traffic()
		r.take(all, now)
		now = now.Add(time.Second)
		if again := r.take(all, now); again != sampleIdle {
			w.Error("idle:", again)
		}
		moved.RxBytes.Add(20_000)
		now = now.Add(20 * time.Second)
		if rx, _ := r.rate(s.DID(), moved.RxBytes.Load(), moved.TxBytes.Load(), now); rx != 1000 || len(r.wake) != 1 {
			w.Error("asked for the first time:", rx, len(r.wake))
		}
		r.take(all, now)
		now = now.Add(time.Second)
		if again := r.take(all, now); again != sampleEvery {
			w.Error("somebody reads:", again)
		}
		if again := r.take(all, now.Add(askedLately)); again != sampleIdle {
			w.Error("nobody reads any more:", again)
		}
	})
}
