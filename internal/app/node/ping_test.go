package node

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// What a caller is told of a ping and of a carrier, whatever state the peer is in.
func TestPingAndPreferAnswers(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a, b, c := w.hosts[0], w.hosts[1], w.hosts[2]
		w.join(a, b, "bob")
		a.add(c, "eve", false, session.Settings{})
		h := peerCalls{&applier{manager: a.m}}
		pong, err := h.Ping(w.Context(), "bob")
		if err != nil || pong.Name != "bob" || pong.DID != b.id.DID().String() || pong.Link != "quic" || pong.RTTMS < 10 || pong.Remote != b.addr.String() || pong.Epoch == 0 {
			w.Errorf("%+v %v", pong, err)
		}
		_, err = h.Ping(w.Context(), "eve")
		w.wantRefused(err, http.StatusConflict, "no path to eve (session idle)")
		_, err = h.Ping(w.Context(), "nobody")
		w.wantRefused(err, http.StatusNotFound, `there is no peer "nobody" (DID, name or overlay address); l2tun status lists the peers`)
		w.net.SetAll(memnet.Line{Cut: true})
		err = within(w.T, time.Second, func(ctx context.Context) error {
			_, err := h.Ping(ctx, "bob")
			return err
		})
		w.wantRefused(err, http.StatusGatewayTimeout, "no answer from bob in time (session established)")
		w.wantRefused(h.Prefer(w.Context(), "bob", "pigeon"), http.StatusBadRequest, `"pigeon" is no carrier; there are direct, datagram and utcp`)
		w.wantRefused(h.Prefer(w.Context(), "nobody", ""), http.StatusNotFound, `there is no peer "nobody" (DID, name or overlay address); l2tun status lists the peers`)
		w.ok(h.Prefer(w.Context(), "bob", "utcp"))
		w.ok(h.Prefer(w.Context(), "bob", ""))
	})
}

// Rates are those of the last samples; a new session of a peer begins anew.
func TestRates(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		s, _ := w.join(w.hosts[0], w.hosts[1], "bob")
		var r rates
		all, now, d := []*session.Session{s}, time.Now(), s.DID()
		if rx, tx := r.rate(d); rx != 0 || tx != 0 {
			w.Error(rx, tx)
		}
		for i := range 20 {
			r.take(all, now.Add(time.Duration(i)*time.Second))
			s.Plane().Traffic().Received(link.KindDirect, 1, 1000)
			s.Plane().Traffic().Sent(link.KindDirect, 1, i*10)
		}
		if rx, tx := r.rate(d); rx != 1000 || tx != (14+15+16+17+18)*10/5 || len(r.of[d]) != 6 {
			w.Error(rx, tx, r.of)
		}
		r.take(all, now.Add(19*time.Second+rateStep/2))
		if len(r.of[d]) != 6 || r.of[d][5].at != now.Add(19*time.Second) {
			w.Error("a sample too soon", r.of)
		}
		s.Plane().Traffic().Received(link.KindDirect, 0, -19_995) // less than before: the counters of a new session
		r.take(all, now.Add(20*time.Second))
		if rx, tx := r.rate(d); rx != 0 || tx != 0 {
			w.Error("after a new session", rx, tx)
		}
		r.take(nil, now.Add(22*time.Second))
		if rx, _ := r.rate(did.DID{}); rx != 0 || len(r.of) != 0 {
			w.Error(r.of)
		}
	})
}

// An idle node takes a sample a minute. When traffic has begun since, a
// status request gets the current rate, not one over the idle time.
func TestRatesAfterSilence(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		s, _ := w.join(w.hosts[0], w.hosts[1], "bob")
		var r rates
		all, d := []*session.Session{s}, s.DID()
		r.sample(all, time.Now())
		time.Sleep(rateWindow)
		if next := r.sample(all, time.Now()); next != rateIdle {
			w.Error("idle, and the next sample after", next)
		}
		time.Sleep(rateIdle - time.Second)
		traffic := make(chan struct{})
		go func() {
			defer close(traffic)
			for range 200 {
				s.Plane().Traffic().Received(link.KindDirect, 1, 1000)
				time.Sleep(10 * time.Millisecond)
			}
		}()
		time.Sleep(time.Second)
		r.sampleNow(w.Context(), all)
		if rx, tx := r.rate(d); rx < 90e3 || rx > 110e3 || tx != 0 {
			w.Error("the rate of now is 100,000 B/s, not", rx, tx)
		}
		<-traffic
		if next := r.sample(all, time.Now()); next != rateWindow {
			w.Error("busy, and the next sample after", next)
		}
		asked := time.Now()
		if r.sampleNow(w.Context(), all); time.Since(asked) != 0 {
			w.Error("it took its time with fresh samples", time.Since(asked))
		}
	})
}
