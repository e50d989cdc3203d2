package utcp

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// circuit makes a circuit datagram of size bytes.
func circuit(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	wire.PutCircuitHeader(b, wire.MakeRecordID([7]byte(b[1:8])))
	return b
}

// Datagrams of a circuit and records come out as they went in and in one order, by the
// path of the connection.
func TestForwardedDatagramsComeAsRecordsDo(t *testing.T) {
	_, b, ca, cb, _, _ := utcpPair(t)
	cb.Proven()
	sizes := []int{wire.MinCircuit, 31, 32, 1208, 1460, maxCircuit}
	var want [][]byte
	for range 8 { // more than one call takes
		datagrams := new(wire.Batch)
		for _, n := range sizes {
			datagrams.Append(circuit(n))
		}
		recs := batchOf(record(100, 1), record(2000, 2))
		if n, err := ca.path.Forward(datagrams); n != len(sizes) || err != nil {
			t.Fatal(n, err)
		}
		if n, err := ca.path.Send(recs); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		want = append(append(want, datagrams.Slices()...), recs.Slices()...)
	}
	eventually(t, 30*time.Second, "all of them", func() bool { return b.in.len() == len(want) })
	b.in.mu.Lock()
	defer b.in.mu.Unlock()
	for i, got := range b.in.recs {
		if !bytes.Equal(got, want[i]) {
			t.Fatalf("number %d of %d bytes came as %d bytes, or another", i, len(want[i]), len(got))
		}
	}
	for _, p := range b.in.paths {
		if p != cb.Path() {
			t.Fatal("by another path")
		}
	}
}

// A peer would take these for a violation and end the connection.
func TestWhatIsNoCircuitDatagramIsNotForwarded(t *testing.T) {
	_, b, ca, cb, _, _ := utcpPair(t)
	cb.Proven()
	noTag := circuit(100)
	noTag[1] &= 0x7f
	for name, bad := range map[string][]byte{"short": circuit(wire.MinCircuit)[:wire.MinCircuit-1], "no label": noTag, "another form": append([]byte{0xc0}, circuit(99)...)} {
		if n, err := ca.path.Forward(batchOf(circuit(100), bad)); n != 0 || err != errNoCircuit {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if n, err := ca.path.Forward(batchOf(circuit(100), circuit(maxCircuit+1), circuit(100))); n != 1 || err != link.ErrTooBig {
		t.Error(n, err)
	}
	eventually(t, 30*time.Second, "the good one", func() bool { return b.in.len() == 1 })
	_ = ca.Close("done")
	if n, err := ca.path.Forward(batchOf(circuit(100))); n != 0 || err != link.ErrClosed {
		t.Error("closed:", n, err)
	}
}

// SPEC R-3.6-4.
func TestFramesThatHoldNoCircuitDatagramEndTheConnection(t *testing.T) {
	noTag := circuit(100)
	noTag[1] &= 0x7f
	for name, body := range map[string][]byte{
		"of 8 bytes": circuit(9)[:8], "too long": circuit(maxCircuit + 1), "no label": noTag,
		"another first byte": append([]byte{0x41}, circuit(99)...),
	} {
		_, r := detached()
		r.preface = false
		if err := r.feed(append(appendFrameHeader(nil, frameCircuit, len(body)), body...)); !errors.Is(err, cause.ErrProtocol) || r.h.(*inbox).len() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, r := detached()
	r.preface = false
	r.c.hello = func(*Conn) error { return nil }
	if err := r.feed(append(appendFrameHeader(nil, frameCircuit, 100), circuit(100)...)); !errors.Is(err, cause.ErrProtocol) {
		t.Errorf("a stranger's, before any stream: %v", err)
	}
}

// What is forwarded is refused while there is room for the node's own records.
func TestForwardedDatagramsLeaveRoomForRecords(t *testing.T) {
	q, now := new(sendQueue), time.Now()
	datagrams := blank(maxQueue/2/1000, 1000-frameHeader)
	n, _, err := q.push(frameCircuit, datagrams, 0, now)
	if n != datagrams.Len() || err != nil {
		t.Fatal(n, err)
	}
	if n, _, err := q.push(frameCircuit, blank(1, 1000), 0, now); n != 0 || err != link.ErrQueueFull {
		t.Fatal("beyond half of the queue:", n, err)
	}
	if n, _, err := q.push(frameRecord, blank(100, 1000), 0, now); n != 100 || err != nil {
		t.Fatal("records:", n, err)
	}
	q = new(sendQueue)
	q.push(frameRecord, blank(1, 1000), 0, now)
	late := now.Add(maxWait/2 + time.Millisecond)
	if n, _, err := q.push(frameCircuit, blank(1, 1000), 0, late); n != 0 || err != link.ErrQueueFull {
		t.Fatal("behind a record that has waited:", n, err)
	}
	if n, _, err := q.push(frameRecord, blank(1, 1000), 0, late); n != 1 || err != nil {
		t.Fatal("records:", n, err)
	}
}

// A frame of a circuit datagram is written whole, as that of a record is; SPEC R-3.6-5.
func TestForwardedDatagramsWrittenInPieces(t *testing.T) {
	datagrams := batchOf(circuit(100), circuit(70), circuit(50))
	var all []byte
	for i := range datagrams.Len() {
		all = append(appendFrameHeader(all, frameCircuit, len(datagrams.At(i))), datagrams.At(i)...)
	}
	for cut := range len(all) + 1 {
		q, now := new(sendQueue), time.Now()
		n, _, err := q.push(frameCircuit, datagrams, q.wroteOf(frameCircuit, datagrams, cut, now), now)
		if n != 3 || err != nil {
			t.Fatalf("cut at %d: %d, %v", cut, n, err)
		}
		if out := append(bytes.Clone(all[:cut]), drained(q, 9)...); !bytes.Equal(out, all) {
			t.Fatalf("cut at %d: other bytes", cut)
		}
	}
}
