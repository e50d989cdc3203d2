package link

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/wire"
)

// An oracle of reassembly (SPEC 7.3), slow and plain.
type halves struct {
	id    uint16
	index byte
	body  []byte
	at    int // milliseconds
}

// FuzzParts cuts its input into part frames that come one after another, with
// pauses, and holds what is put together against the oracle.
func FuzzParts(f *testing.F) {
	var b wire.Batch
	b.AppendHalves(7, bytes.Repeat([]byte{0x45}, 9))
	b.AppendHalves(8, []byte{1, 2})
	var seed []byte
	for _, i := range []int{0, 2, 1, 3, 3, 2} {
		seed = append(append(seed, byte(len(b.At(i))), byte(i)), b.At(i)...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, in []byte) {
		var r Reassembly
		var traffic Traffic
		var kept []halves
		start, now := time.Unix(1, 0), 0
		for len(in) > 2 {
			n := min(int(in[0]), len(in)-2)
			now += 10 * int(in[1])
			frame := bytes.Clone(in[2 : 2+n])
			in = in[2+n:]

			var want []byte
			kept, want = expect(kept, frame, now)
			dst := make([]byte, 300)
			copy(dst, frame) // frame may lie in dst
			got := r.Join(dst, dst[:n], start.Add(time.Duration(now)*time.Millisecond), &traffic)
			if !bytes.Equal(dst[:got], want) {
				t.Fatalf("%x was put together, want %x", dst[:got], want)
			}
			if len(r.entries) != len(kept) || len(r.entries) > partEntries {
				t.Fatalf("%d halves are kept, want %d", len(r.entries), len(kept))
			}
		}
	})
}

func expect(kept []halves, frame []byte, now int) ([]halves, []byte) {
	if len(frame) < 5 || frame[3] > 1 {
		return kept, nil
	}
	h := halves{uint16(frame[1]) | uint16(frame[2])<<8, frame[3], frame[4:], now}
	kept = slices.DeleteFunc(kept, func(k halves) bool { return now-k.at > 1000 })
	for i, k := range kept {
		if k.id == h.id && k.index != h.index {
			kept = slices.Delete(kept, i, i+1)
			whole := slices.Concat(k.body, h.body)
			if k.index == 1 {
				whole = slices.Concat(h.body, k.body)
			}
			if len(whole) > 300 {
				whole = nil
			}
			return kept, whole
		}
	}
	if len(kept) == 64 {
		kept = kept[1:]
	}
	return append(kept, h), nil
}
