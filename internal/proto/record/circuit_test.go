package record

import (
	"errors"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The number space of circuits exists for two ends that take them. Others neither
// seal in it nor open what comes in it, and its numbers are its own.
// SPEC R-4-8.
func TestAnEpochWithoutCircuitsRefusesTheirRecords(t *testing.T) {
	for _, c := range bothCiphers {
		with, without := testKeys(c), testKeys(c)
		without.Circuits = false
		rec := sealOne(t, newEpoch(t, with), wire.SpaceCircuit, []byte("E"))
		plain := newEpoch(t, without)
		var b wire.Batch
		if err := plain.Seal(&b, wire.SpaceCircuit, plainsOf(1, 10)); !errors.Is(err, ErrSpace) || len(b.Buf) > 0 {
			t.Errorf("%v: sealed without circuits: %v, %d bytes", c, err, len(b.Buf))
		}
		if n, _ := plain.Sealed(); n != 0 || plain.Spent() {
			t.Errorf("%v: a refused record counts: %d, spent %v", c, n, plain.Spent())
		}
		for _, circuits := range []bool{false, true} {
			k := testKeys(c)
			k.Send, k.Recv, k.SendID, k.RecvID, k.Circuits = k.Recv, k.Send, k.RecvID, k.SendID, circuits
			e, want := newEpoch(t, k), Malformed
			if circuits {
				want = Opened
			}
			if _, v := e.OpenTo(make([]byte, 0, 10), rec); v != want || e.recv.forged.Load() > 0 {
				t.Errorf("%v, circuits %v: verdict %d, %d failed opens", c, circuits, v, e.recv.forged.Load())
			}
		}
	}
}

// The same number under the same key is another nonce and another window in the
// space of circuits than in that of direct: what is late on one is no replay of what
// came by the other.
func TestCircuitsHaveNumbersOfTheirOwn(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	for n := range 3 {
		for _, s := range []wire.Space{wire.SpaceCircuit, wire.SpaceDirect} {
			rec := sealOne(t, a, s, []byte("E"))
			if _, counter, space, _ := wire.ParseHeader(rec); counter != uint64(n) || space != s {
				t.Errorf("record %d of space %d has number %d of space %d", n, s, counter, space)
			}
			for _, want := range []Verdict{Opened, Replayed} {
				if _, v := b.OpenTo(make([]byte, 0, 10), rec); v != want {
					t.Errorf("space %d, number %d: verdict %d, want %d", s, n, v, want)
				}
			}
			moved := append([]byte(nil), rec...)
			moved[15] ^= byte(wire.SpaceCircuit)
			if _, v := b.OpenTo(make([]byte, 0, 10), moved); v != Forged && v != Replayed {
				t.Errorf("a record of space %d opens in another: verdict %d", s, v)
			}
		}
	}
}
