package utcp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/queue"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// framesOf takes written bytes apart; they must be whole frames.
func framesOf(t *testing.T, b []byte) (kinds []byte, bodies [][]byte) {
	t.Helper()
	for len(b) > 0 {
		n, err := frameSize(b)
		if err != nil || n == 0 || n > len(b) {
			t.Fatalf("not a frame: %x..., %d, %v", b[:min(8, len(b))], n, err)
		}
		kinds, bodies = append(kinds, b[0]), append(bodies, b[frameHeader:n])
		b = b[n:]
	}
	return kinds, bodies
}

// drained writes everything in pieces of at most n bytes.
func drained(q *sendQueue, n int) (out []byte) {
	for b := q.next(); b != nil; b = q.next() {
		k := min(n, len(b))
		out = append(out, b[:k]...)
		q.wrote(k)
	}
	return out
}

// SPEC R-3.6-5.
func TestFramesOfStreamsPassAtRecordBoundaries(t *testing.T) {
	for cut := 1; cut < 3*104; cut++ {
		q := new(sendQueue)
		q.push(frameRecord, batchOf(record(100, 0), record(100, 1), record(100, 2)), 0, time.Now())
		first := bytes.Clone(q.next()[:cut])
		q.wrote(cut)
		q.control = appendStreamFrame(q.control, frameClose, 1, nil)
		kinds, _ := framesOf(t, append(first, drained(q, 7)...))
		want := []byte{frameRecord, frameRecord, frameRecord, frameRecord}
		want[(cut+103)/104] = frameClose
		if !bytes.Equal(kinds, want) {
			t.Fatalf("cut at %d: kinds %v, want %v", cut, kinds, want)
		}
	}
}

func TestQueueOfRecordsIsBounded(t *testing.T) {
	q, now := new(sendQueue), time.Now()
	recs := batchOfN(64, 1452)
	total := 0
	for {
		n, old, err := q.push(frameRecord, recs, 0, now)
		if total += n; old != 0 {
			t.Fatal("dropped too early")
		}
		if err == link.ErrQueueFull {
			break
		}
		if err != nil || total > 4000 {
			t.Fatal(total, err)
		}
	}
	if want := maxQueue / 1456; total != want || q.bytes != want*1456 {
		t.Fatalf("%d records, want %d, %d bytes", total, want, q.bytes)
	}
	if out := drained(q, 1<<22); len(out) != total*1456 || q.bytes != 0 || len(q.chunks) != 0 || len(q.spare) > maxSpare {
		t.Fatalf("%d bytes written, %d left in %d chunks", len(out), q.bytes, len(q.chunks))
	}
	if n, _, err := q.push(frameRecord, batchOf(record(40, 0), record(maxRecord+1, 1)), 0, now); n != 1 || err != link.ErrTooBig {
		t.Fatal(n, err)
	}
	if n, _, err := q.push(frameRecord, batchOf(record(maxRecord, 1)), 0, now); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	faults.Report(t, "T4", true, "the queue of records is bounded")
}

func batchOfN(n, size int) *wire.Batch {
	b := new(wire.Batch)
	for i := range n {
		b.Append(record(size, uint64(i)))
	}
	return b
}

// blank is n records without contents.
func blank(n, size int) *wire.Batch {
	b := &wire.Batch{Buf: make([]byte, n*size)}
	for i := range n {
		b.Ends = append(b.Ends, (i+1)*size)
	}
	return b
}

func TestOldRecordsAreDroppedButNotOneThatHasBegun(t *testing.T) {
	for _, written := range []int{0, 1, 1456, 1457, 3 * 1456, 3*1456 - 1} {
		q, now := new(sendQueue), time.Now()
		q.push(frameRecord, batchOfN(60, 1452), 0, now) // two chunks
		var first []byte
		if written > 0 {
			first = bytes.Clone(q.next()[:written])
			q.wrote(written)
		}
		begun := (written + 1455) / 1456
		later := now.Add(queue.MaxAge + time.Millisecond)
		_, old, _ := q.push(frameRecord, batchOf(record(100, 7)), 0, later)
		if old != 60-begun {
			t.Errorf("%d bytes written: %d dropped, want %d", written, old, 60-begun)
		}
		_, bodies := framesOf(t, append(first, drained(q, 1000)...))
		if len(bodies) != begun+1 || len(bodies[begun]) != 100 || q.bytes != 0 {
			t.Errorf("%d bytes written: %d frames, %d bytes left", written, len(bodies), q.bytes)
		}
	}
}

func TestQueueAgainstASlowOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		q, now := new(sendQueue), time.Now()
		var out []byte
		taken, dropped, streams := 0, 0, 0
		for range 200 {
			now = now.Add(time.Duration(rng.IntN(20)) * time.Millisecond)
			switch rng.IntN(4) {
			case 0:
				n, old, _ := q.push(frameRecord, blank(1+rng.IntN(30), 32+rng.IntN(9000)), 0, now)
				taken, dropped = taken+n, dropped+old
			case 1:
				q.control = appendStreamFrame(q.control, frameClose, 1, nil)
				streams++
			default:
				for range rng.IntN(5) {
					if b := q.next(); b != nil {
						k := 1 + rng.IntN(len(b))
						out = append(out, b[:k]...)
						q.wrote(k)
					}
				}
			}
			if q.bytes > maxQueue || q.bytes < 0 {
				t.Fatalf("%d bytes", q.bytes)
			}
		}
		kinds, _ := framesOf(t, append(out, drained(q, 5000)...))
		if n := bytes.Count(kinds, []byte{frameRecord}); n != taken-dropped || len(kinds)-n != streams || q.bytes != 0 {
			t.Fatalf("%d records written of %d less %d, %d of %d stream frames, %d bytes left", n, taken, dropped, len(kinds)-n, streams, q.bytes)
		}
	}
}

// A slow line: what would wait long is refused before the bytes are too many.
func TestQueueThatMovesSlowlyTakesNothing(t *testing.T) {
	q, now := new(sendQueue), time.Now()
	q.push(frameRecord, batchOfN(90, 1452), 0, now) // two chunks and more
	if n, _, err := q.push(frameRecord, batchOfN(2, 1452), 0, now.Add(maxWait)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	late := now.Add(maxWait + time.Millisecond)
	if n, old, err := q.push(frameRecord, batchOfN(2, 1452), 0, late); n != 0 || old != 0 || err != link.ErrQueueFull {
		t.Fatal(n, old, err)
	}
	drained(q, 1<<20)
	if n, _, err := q.push(frameRecord, batchOfN(2, 1452), 0, late); n != 2 || err != nil {
		t.Fatal(n, err)
	}
}

// What is written past the queue may end at any byte: the rest comes next, and
// frames of streams pass between records only.
func TestWritePastTheQueueEndsAnywhere(t *testing.T) {
	recs := batchOf(record(100, 0), record(70, 1), record(50, 2))
	var all []byte
	for i := range recs.Len() {
		all = append(appendFrameHeader(all, frameRecord, len(recs.At(i))), recs.At(i)...)
	}
	control := appendStreamFrame(nil, frameClose, 1, nil)
	for cut := range len(all) + 1 {
		q, now := new(sendQueue), time.Now()
		n, _, err := q.push(frameRecord, recs, q.wroteOf(frameRecord, recs, cut, now), now)
		if n != 3 || err != nil || q.bytes != len(all)-cut || q.empty() != (cut == len(all)) {
			t.Fatalf("cut at %d: %d taken, %v, %d bytes wait", cut, n, err, q.bytes)
		}
		q.control = append(q.control, control...)
		out := append(bytes.Clone(all[:cut]), drained(q, 9)...)
		kinds, bodies := framesOf(t, out)
		place := bytes.IndexByte(kinds, frameClose)
		for i, body := range slices.Delete(bodies, place, place+1) {
			if !bytes.Equal(body, recs.At(i)) {
				t.Fatalf("cut at %d: record %d differs", cut, i)
			}
		}
		begun := 0 // records of which a byte was out
		for _, end := range []int{0, 104, 178} {
			if cut > end {
				begun++
			}
		}
		if place != begun {
			t.Fatalf("cut at %d: the stream's frame is at %d, want %d", cut, place, begun)
		}
		if q.bytes != 0 || !q.empty() {
			t.Fatalf("cut at %d: %d bytes left", cut, q.bytes)
		}
	}
}

func TestQueueOfRecordsAllocatesNothing(t *testing.T) {
	q, recs, now := new(sendQueue), batchOfN(45, 1452), time.Now()
	if n := testing.AllocsPerRun(100, func() {
		q.push(frameRecord, recs, 0, now)
		for b := q.next(); b != nil; b = q.next() {
			q.wrote(len(b))
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
