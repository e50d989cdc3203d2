package session

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// sealEmpty is the smallest record of s: nothing but padding in it.
func (s *Session) sealEmpty() (rec []byte) {
	s.call(func(time.Time) error {
		var out wire.Batch
		if err := s.loop.keys.InUse().Seal(&out, wire.SpaceDirect, [][]byte{{}}); err == nil {
			rec = append([]byte(nil), out.At(0)...)
		}
		return nil
	})
	return rec
}

// A peer sends records from forged sources: no address gets more bytes than came
// from it, and few are asked at all.
// SPEC R-6.10-5.
func TestForgedSourcesAreNotFlooded(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		const sources = 60
		sent, asked := make([]int, sources), 0
		var lines [sources]atomic.Int64 // bytes to each
		for i := range sources {
			w.net.Set(w.a.addr, netip.AddrPortFrom(w4(10, 9, 0, byte(i)), 9), memnet.Line{Drop: func(rec []byte) bool { lines[i].Add(int64(len(rec))); return true }})
		}
		for range 5 { // 0.1 s apart each, so 6 s for all
			for i := range sources {
				rec := sb.sealEmpty()
				sent[i] += len(rec)
				w.a.node.Deliver(fmt.Sprintf("10.9.0.%d:9", i), rec)
				time.Sleep(20 * time.Millisecond)
			}
		}
		time.Sleep(10 * time.Second)
		in, out := 0, 0
		for i := range sources {
			got := int(lines[i].Load())
			in, out = in+sent[i], out+got
			if got > sent[i] {
				t.Errorf("source %d sent %d bytes and got %d", i, sent[i], got)
			}
			if got > 0 {
				asked++
			}
		}
		w.up(sa, time.Second)
		faults.Report(t, "S16", out <= in, "%d bytes from %d forged sources, %d bytes to %d of them (6.2 times as much for one datagram before)", in, sources, out, asked)
	})
}

// A peer that moves is followed as ever: what it sends pays for the question.
// SPEC R-6.10-6.
func TestMovedPeersPayForTheQuestion(t *testing.T) {
	withAllCarriers(t, func(t *testing.T, w *world) {
		sa, sb := w.pair(Settings{})
		w.wantCarrier(sa, link.KindDirect, time.Second)
		var got atomic.Int64
		w.net.Set(w.a.addr, netip.AddrPortFrom(w4(10, 9, 0, 1), 9), memnet.Line{Drop: func(rec []byte) bool { got.Add(int64(len(rec))); return true }})
		for range smallProbe/wire.Overhead + 1 {
			w.a.node.Deliver("10.9.0.1:9", sb.sealEmpty())
		}
		time.Sleep(time.Second)
		if got.Load() != smallProbe {
			t.Errorf("%d bytes asked", got.Load())
		}
	})
}
