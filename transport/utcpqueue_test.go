package transport

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/faults"
	"github.com/libertaria-project/l2tun/internal/link"
	"github.com/libertaria-project/l2tun/internal/wire"
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
func drained(q *utcpQueue, n int) (out []byte) {
	for b := q.next(); b != nil; b = q.next() {
		k := min(n, len(b))
		out = append(out, b[:k]...)
		q.wrote(k)
	}
	return out
}

func TestFramesOfStreamsPassAtRecordBoundaries(t *testing.T) {
	for cut := 1; cut < 3*104; cut++ {
		q := new(utcpQueue)
		q.push(batchOf(record(100, 0), record(100, 1), record(100, 2)), time.Now())
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
	q, now := new(utcpQueue), time.Now()
	recs := batchOfN(64, 1452)
	total := 0
	for {
		n, old, err := q.push(recs, now)
		if total += n; old != 0 {
			t.Fatal("dropped too early")
		}
		if err == link.ErrQueueFull {
			break
		}
		if err != nil || total > 1000 {
			t.Fatal(total, err)
		}
	}
	if want := maxQueueBytes / 1456; total != want || q.bytes != want*1456 {
		t.Fatalf("%d records, want %d, %d bytes", total, want, q.bytes)
	}
	if out := drained(q, 1<<20); len(out) != total*1456 || q.bytes != 0 || len(q.chunks) != 0 || len(q.spare) > maxSpare {
		t.Fatalf("%d bytes written, %d left in %d chunks", len(out), q.bytes, len(q.chunks))
	}
	if n, _, err := q.push(batchOf(record(40, 0), record(maxUTCPRecord+1, 1)), now); n != 1 || err != link.ErrTooBig {
		t.Fatal(n, err)
	}
	if n, _, err := q.push(batchOf(record(maxUTCPRecord, 1)), now); n != 1 || err != nil {
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
		q, now := new(utcpQueue), time.Now()
		q.push(batchOfN(60, 1452), now) // two chunks
		var first []byte
		if written > 0 {
			first = bytes.Clone(q.next()[:written])
			q.wrote(written)
		}
		begun := (written + 1455) / 1456
		later := now.Add(maxQueueAge + time.Millisecond)
		_, old, _ := q.push(batchOf(record(100, 7)), later)
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
		q, now := new(utcpQueue), time.Now()
		var out []byte
		taken, dropped, streams := 0, 0, 0
		for range 200 {
			now = now.Add(time.Duration(rng.IntN(20)) * time.Millisecond)
			switch rng.IntN(4) {
			case 0:
				n, old, _ := q.push(blank(1+rng.IntN(30), 32+rng.IntN(9000)), now)
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
			if q.bytes > maxQueueBytes || q.bytes < 0 {
				t.Fatalf("%d bytes", q.bytes)
			}
		}
		kinds, _ := framesOf(t, append(out, drained(q, 5000)...))
		if n := bytes.Count(kinds, []byte{frameRecord}); n != taken-dropped || len(kinds)-n != streams || q.bytes != 0 {
			t.Fatalf("%d records written of %d less %d, %d of %d stream frames, %d bytes left", n, taken, dropped, len(kinds)-n, streams, q.bytes)
		}
	}
}

func TestQueueOfRecordsAllocatesNothing(t *testing.T) {
	q, recs, now := new(utcpQueue), batchOfN(45, 1452), time.Now()
	if n := testing.AllocsPerRun(100, func() {
		q.push(recs, now)
		for b := q.next(); b != nil; b = q.next() {
			q.wrote(len(b))
		}
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
