package link

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// onPath is a path by its number only.
type onPath struct {
	Path
	number int
}

// An oracle of reassembly (SPEC 7.3), slow and plain.
type halves struct {
	id    uint16
	index byte
	body  []byte
	from  int
	at    int // milliseconds
}

// FuzzParts cuts its input into part frames that come one after another by four
// paths, with pauses, and holds what is put together against the oracle.
func FuzzParts(f *testing.F) {
	var b wire.Batch
	b.AppendHalves(7, bytes.Repeat([]byte{0x45}, 9))
	b.AppendHalves(8, []byte{1, 2})
	var seed []byte
	for n, i := range []int{0, 2, 1, 3, 3, 2} {
		seed = append(append(seed, byte(len(b.At(i))), byte(i), byte(n)), b.At(i)...)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, in []byte) {
		var r Reassembly
		var traffic Traffic
		var kept []halves
		paths := []Path{&onPath{number: 0}, &onPath{number: 1}, &onPath{number: 2}, &onPath{number: 3}}
		start, now := time.Unix(1, 0), 0
		for len(in) > 3 {
			n, from := min(int(in[0]), len(in)-3), int(in[2]%4)
			now += 10 * int(in[1])
			frame := bytes.Clone(in[3 : 3+n])
			in = in[3+n:]

			var want []byte
			kept, want = expect(kept, frame, from, now)
			dst := make([]byte, 300)
			copy(dst, frame) // frame may lie in dst
			got := r.Join(dst, dst[:n], paths[from], start.Add(time.Duration(now)*time.Millisecond), &traffic)
			if !bytes.Equal(dst[:got], want) {
				t.Fatalf("%x was put together, want %x", dst[:got], want)
			}
			bytes := 0
			for _, h := range r.entries {
				bytes += len(h.body)
			}
			if len(r.entries) != len(kept) || len(r.entries) > partEntries || r.bytes != bytes || bytes > partBytes {
				t.Fatalf("%d halves of %d bytes are kept, want %d; %d bytes are counted", len(r.entries), bytes, len(kept), r.bytes)
			}
		}
	})
}

func expect(kept []halves, frame []byte, from, now int) ([]halves, []byte) {
	if len(frame) < 5 || frame[3] > 1 {
		return kept, nil
	}
	h := halves{uint16(frame[1]) | uint16(frame[2])<<8, frame[3], frame[4:], from, now}
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
	for i, k := range kept {
		if k.id == h.id && k.index == h.index {
			if bytes.Equal(k.body, h.body) {
				return kept, nil
			}
			kept = slices.Delete(kept, i, i+1)
			break
		}
	}
	if len(kept) == 64 {
		var of [4]int
		for _, k := range kept {
			of[k.from]++
		}
		most := slices.Max(of[:])
		i := slices.IndexFunc(kept, func(k halves) bool { return of[k.from] == most })
		kept = slices.Delete(kept, i, i+1)
	}
	return append(kept, h), nil
}

// A path on which halves are replayed, or lost, costs another path nothing: a
// half that came by the quiet one is still there after 100,000 by the other.
// SPEC R-7.3-2.
func TestHalvesOfOnePathPushOutNoOther(t *testing.T) {
	var r Reassembly
	var traffic Traffic
	quiet, loud := &onPath{number: 0}, &onPath{number: 1}
	whole := bytes.Repeat([]byte{0x45, 1, 2, 3}, 300)
	var mine, theirs wire.Batch
	mine.AppendHalves(7|wire.FramePartIDs, whole)
	for id := range uint16(200) {
		theirs.AppendHalves(id, bytes.Repeat([]byte{0x46}, 1400))
	}
	now, dst := time.Unix(1, 0), make([]byte, 1<<16)
	r.Join(dst, mine.At(0), quiet, now, &traffic)
	const again = 100_000
	for range again { // the loud path's own first half, again and again
		r.Join(dst, theirs.At(0), loud, now, &traffic)
	}
	if n := traffic.Drops()["reassembly"]; n != 0 || len(r.entries) != 2 {
		t.Errorf("one half %d times: %d places taken, %d dropped", again, len(r.entries), n)
	}
	for i := range 200 { // and first halves of which the second never comes
		r.Join(dst, theirs.At(2*i), loud, now, &traffic)
	}
	n := r.Join(dst, mine.At(1), quiet, now, &traffic)
	good := bytes.Equal(dst[:n], whole)
	if !good {
		t.Errorf("the packet of the quiet path was lost: %d bytes", n)
	}
	large := append([]byte{wire.FramePart, 1, 0, 0}, make([]byte, partLargest)...)
	for id := range byte(100) {
		large[1] = id
		r.Join(dst, large, loud, now, &traffic)
	}
	if r.bytes > partBytes {
		t.Errorf("%d bytes are kept", r.bytes)
	}
	faults.Report(t, "S19", good, "the same half %d times takes 1 place and drops nothing; 200 lone halves of one path push out none of another's; 100 halves of 32 KiB hold %d KiB", again, r.bytes>>10)
}
