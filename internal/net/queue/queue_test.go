package queue

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

func numbered(size, n int) []byte {
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, uint32(n))
	return b
}

// drain pops everything and returns the numbers in order.
func drain(q *Queue) (ns []int) {
	for c := q.Pop(); c != nil; c = q.Pop() {
		for i := range c.Len() {
			ns = append(ns, int(binary.BigEndian.Uint32(c.At(i))))
		}
		q.Recycle(c)
	}
	return ns
}

func TestQueueKeepsOrderOverChunks(t *testing.T) {
	var q Queue
	q.Init()
	now := time.Now()
	for i := range 200 {
		n, old, err := q.Push(batchOf(numbered(1000, i)), 1415, now.Add(time.Duration(i)*time.Millisecond/10))
		if n != 1 || old != 0 || err != nil {
			t.Fatal(n, old, err)
		}
	}
	if len(q.chunks) < 4 {
		t.Fatalf("%d chunks of at most %d bytes and %v", len(q.chunks), ChunkBytes, ChunkSpan)
	}
	select {
	case <-q.Wake:
	default:
		t.Fatal("the sender was not woken")
	}
	for i, n := range drain(&q) {
		if n != i {
			t.Fatalf("record %d came at place %d", n, i)
		}
	}
	if q.bytes != 0 {
		t.Fatalf("%d bytes in an empty queue", q.bytes)
	}
}

func TestQueueRefusesTheNewestWhenFull(t *testing.T) {
	var q Queue
	q.Init()
	now := time.Now()
	recs := batchOf()
	for i := range MaxBytes/1024 + 5 {
		recs.Append(numbered(1024, i))
	}
	n, _, err := q.Push(recs, 1415, now)
	if n != MaxBytes/1024 || err != link.ErrQueueFull {
		t.Fatal(n, err)
	}
	if ns := drain(&q); len(ns) != n || ns[0] != 0 || ns[n-1] != n-1 {
		t.Fatalf("%d of %d came out", len(ns), n)
	}
}

func TestQueueDropsTheOldest(t *testing.T) {
	var q Queue
	q.Init()
	now := time.Now()
	q.Push(batchOf(numbered(100, 0), numbered(100, 1)), 1415, now)
	q.Push(batchOf(numbered(100, 2)), 1415, now.Add(50*time.Millisecond))
	n, old, err := q.Push(batchOf(numbered(100, 3)), 1415, now.Add(MaxAge+time.Millisecond))
	if n != 1 || old != 2 || err != nil {
		t.Fatal(n, old, err)
	}
	if ns := drain(&q); len(ns) != 2 || ns[0] != 2 || ns[1] != 3 {
		t.Fatal(ns)
	}
}

func TestQueueAllocatesNothingOnceWarm(t *testing.T) {
	var q Queue
	q.Init()
	now := time.Now()
	recs := batchOf(numbered(1000, 0), numbered(1000, 1))
	if n := testing.AllocsPerRun(100, func() {
		q.Push(recs, 1415, now)
		q.Recycle(q.Pop())
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
