package datapath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

func TestPacketCrosses(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	want := packet(addrA, addrB, 1380, 7)
	a.dev.Inject(want)
	if got := b.next(t); !bytes.Equal(got, want) {
		t.Fatal("another packet came out")
	}
	tr := b.peer.Traffic()
	wait(t, func() bool { return tr.Total().RxPackets > 0 && tr.LastHeard.Load() != 0 }) // counted once the device has taken it
	if tr.Total().RxPackets != 1 || tr.Total().RxBytes != 1380 || tr.LastHeard.Load() == 0 {
		t.Fatalf("counters: %d packets, %d bytes", tr.Total().RxPackets, tr.Total().RxBytes)
	}
	if _, opened := b.sink.told(); opened != 1 {
		t.Fatalf("told %d times that the epoch is in use", opened)
	}
}

// SPEC 7.3: a packet that does not fit goes in two records and comes out whole,
// in either order, beside packets that fit.
func TestLargePacketGoesInTwoParts(t *testing.T) {
	for _, swap := range []bool{false, true} {
		a, b := newPair(t, 1163)
		deliver := a.path.to
		a.path.to = func(p link.Path, recs [][]byte) {
			if swap {
				for i, j := 0, len(recs)-1; i < j; i, j = i+1, j-1 {
					recs[i], recs[j] = recs[j], recs[i]
				}
			}
			deliver(p, recs)
		}
		a.up(t, false)
		b.up(t, false)
		for _, n := range []int{1131, 1132, 1380, 1420, 2253} {
			want := packet(addrA, addrB, n, uint32(n))
			a.dev.Inject(want)
			if got := b.next(t); !bytes.Equal(got, want) {
				t.Fatalf("swap %v: packet of %d bytes came out as %d others", swap, n, len(got))
			}
		}
		if len(a.path.sent) != 1+4*2 {
			t.Fatalf("%d records were sent", len(a.path.sent))
		}
	}
}

// SPEC 7.3: halves whose other half never comes are dropped and counted.
// SPEC R-7.3-1.
func TestLostHalfIsCounted(t *testing.T) {
	var r link.Reassembly
	var tr link.Traffic
	dst := make([]byte, 4096)
	half := func(id uint16) []byte {
		var b wire.Batch
		b.AppendHalves(id, make([]byte, 100))
		return b.At(0)
	}
	now := time.Now()
	for id := range uint16(64 + 3) {
		if n := r.Join(dst, half(id), nil, now, &tr); n != 0 {
			t.Fatalf("half a packet gave %d bytes", n)
		}
	}
	if got := tr.Drops()["reassembly"]; got != 3 {
		t.Fatalf("%d dropped over the bound, want 3", got)
	}
	r.Join(dst, half(999), nil, now.Add(2*time.Second), &tr)
	if got := tr.Drops()["reassembly"]; got != 3+64 {
		t.Fatalf("%d dropped after a second, want %d", got, 3+64)
	}
}

// SPEC 7.2: a source that the peer does not own never reaches the device.
// SPEC R-7.2-1.
func TestForeignSourceIsDropped(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	b.data.Owners().Routes().Insert(netip.MustParsePrefix("10.0.0.3/32"), b.data.NewPeer(limits, b.sink))
	for _, src := range []string{"10.0.0.3", "10.9.9.9", "10.0.0.2"} {
		a.dev.Inject(packet(netip.MustParseAddr(src), addrB, 100, 0))
	}
	want := packet(addrA, addrB, 100, 1)
	a.dev.Inject(want)
	if got := b.next(t); !bytes.Equal(got, want) {
		t.Fatal("a packet with a foreign source came out")
	}
	if n := b.peer.Traffic().Drops()["bad_source"]; n != 3 {
		t.Fatalf("bad_source is %d, want 3", n)
	}
	faults.Report(t, "I1", true, "another peer, unassigned, own: 3 of 3 counted, none delivered")
}

func TestUnroutedPacketIsCounted(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	a.dev.Inject(packet(addrA, netip.MustParseAddr("10.7.7.7"), 100, 0))
	a.dev.Inject([]byte{0x45, 0, 0})
	a.dev.Inject(packet(addrA, addrB, 100, 1))
	b.next(t)
	if n := a.data.Stray().Drops()["no_route"]; n != 2 {
		t.Fatalf("no_route is %d, want 2", n)
	}
	faults.Report(t, "I5", true, "a cut packet is counted no_route")
}

// spec/behaviour.md 6.4: packets wait without a path and leave in order when one comes up.
func TestPacketsWaitAndLeaveInOrder(t *testing.T) {
	a, b := newPair(t, 1415)
	b.up(t, false)
	const n = 200
	for i := range uint32(n) {
		a.dev.Inject(packet(addrA, addrB, 64, i))
	}
	wait(t, func() bool { // the session is told once they are queued
		w, _ := a.sink.told()
		return a.peer.Traffic().Queued.Load() == n && w > 0
	})
	a.up(t, false)
	for i := range uint32(50) {
		a.dev.Inject(packet(addrA, addrB, 64, n+i))
	}
	for i := range uint32(n + 50) {
		if got := binary.BigEndian.Uint32(b.next(t)[20:]); got != i {
			t.Fatalf("packet %d came at place %d", got, i)
		}
	}
	if q := a.peer.Traffic().Queued.Load(); q != 0 {
		t.Fatalf("%d still wait", q)
	}
}

// spec/behaviour.md 6.4: the queue is bounded by count, bytes and age, the oldest goes first.
func TestQueueBounds(t *testing.T) {
	var tr link.Traffic
	now := time.Now()
	q := queue{limits: link.QueueLimits{Bytes: 1000, Packets: 8, Age: time.Second}}
	for i := range 10 {
		q.push([]byte{byte(i)}, now, &tr)
	}
	if d := tr.Drops()["queue_full"]; d != 2 || tr.Queued.Load() != 8 || q.items[0].packet[0] != 2 {
		t.Fatalf("dropped %d, queued %d, oldest %d", d, tr.Queued.Load(), q.items[0].packet[0])
	}
	q.push(make([]byte, 999), now, &tr)
	if tr.Queued.Load() != 2 {
		t.Fatalf("%d packets in 1000 bytes", tr.Queued.Load())
	}
	if left := func() [][]byte { l, _ := q.take(now.Add(2*time.Second), 99, 9999, 999, &tr); return l }(); len(left) != 0 || tr.Drops()["queue_age"] != 2 {
		t.Fatalf("%d left after their time, %d dropped", len(left), tr.Drops()["queue_age"])
	}
}

// Nothing is delivered before the peer is proven; then all
// of it, in order.
// SPEC R-6.4-1.
func TestEarlyRecordsAreHeld(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, true)
	for i := range uint32(70) {
		a.dev.Inject(packet(addrA, addrB, 64, i))
	}
	wait(t, func() bool { return b.peer.Traffic().Drops()["early"] >= 6 }) // the last ones are refused, so all have come in
	if _, opened := b.sink.told(); b.peer.Traffic().Total().RxPackets != 0 || opened != 0 {
		t.Fatal("packets were delivered before the proof")
	}
	b.peer.Release(b.e)
	for i := range uint32(64) {
		if got := binary.BigEndian.Uint32(b.next(t)[20:]); got != i {
			t.Fatalf("packet %d came at place %d", got, i)
		}
	}
	if n := b.peer.Traffic().Drops()["early"]; n != 6 {
		t.Fatalf("%d dropped over the bound of 64, want 6", n)
	}
	faults.Report(t, "H19", true, "records before the proof: 64 held, 6 dropped and counted, none delivered")
}

func (p *pipe) sentRecords() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([][]byte(nil), p.sent...)
}

// Replays, forgeries and strangers are counted and change nothing.
func TestHostileRecords(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	a.dev.Inject(packet(addrA, addrB, 64, 0))
	b.next(t)
	rec := a.path.sentRecords()[0]
	b.data.Records(b.path, [][]byte{rec, rec})
	if n := b.peer.Traffic().Drops()["replayed"]; n != 2 {
		t.Fatalf("%d replays counted, want 2", n)
	}
	for i := range rec {
		bad := bytes.Clone(rec)
		bad[i] ^= 1
		b.data.Records(b.path, [][]byte{bad, bad[:i]})
	}
	b.data.Records(b.path, [][]byte{nil, {0x40}, make([]byte, 2000)})
	select {
	case <-b.dev.Written():
		t.Fatal("a hostile record was delivered")
	default:
	}
	d := b.peer.Traffic().Drops()
	if d["forged"] == 0 || d["malformed"] == 0 || b.data.Stray().Drops()["unknown_id"] == 0 {
		t.Fatalf("drops %v, stray %v", d, b.data.Stray().Drops())
	}
}

func TestFramesReachTheSession(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	large := bytes.Repeat([]byte{0x10}, 2000)
	var plains, out wire.Batch
	plains.Append(wire.AppendHeartbeat(nil, wire.FrameHeartbeat, 5))
	plains.AppendHalves(wire.FramePartIDs|1, large)
	plains.Append([]byte{0x70})
	if err := a.e.Seal(&out, wire.SpaceControl, plains.Slices()); err != nil {
		t.Fatal(err)
	}
	b.data.Records(b.path, out.Slices())
	if len(b.sink.frames) != 2 || len(b.sink.frames[0]) != wire.HeartbeatSize || !bytes.Equal(b.sink.frames[1], large) {
		t.Fatalf("%d frames came", len(b.sink.frames))
	}
	if n := b.peer.Traffic().Drops()["malformed"]; n != 1 {
		t.Fatalf("malformed is %d, want 1", n)
	}
	faults.Report(t, "H16", true, "an unknown frame: counted malformed")
}

// A peer whose path takes nothing does not hold up another one.
func TestFullPathDropsAndCounts(t *testing.T) {
	a, b := newPair(t, 1415)
	a.up(t, false)
	b.up(t, false)
	a.peer.Use(a.e, refusing{a.path})
	a.dev.Inject(packet(addrA, addrB, 64, 0))
	wait(t, func() bool { return a.peer.Traffic().Drops()["carrier"] > 0 })
}

type refusing struct{ *pipe }

func (refusing) Send(*wire.Batch) (int, error) { return 0, link.ErrQueueFull }

func TestDropNames(t *testing.T) {
	if dropOf(errors.Join(link.ErrTooBig)) != link.DropTooBig || dropOf(link.ErrQueueFull) != link.DropCarrier {
		t.Fatal("carrier errors are counted under the wrong name")
	}
	if dropOfVerdict(record.Replayed) != link.DropReplayed || dropOfVerdict(record.Forged) != link.DropForged {
		t.Fatal("verdicts are counted under the wrong name")
	}
}
