package udp

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// A scriptedKernel fails calls as told and notes what the others send.
type scriptedKernel struct {
	fail  func(messages, records, bytes int, sourced bool) unix.Errno
	calls int
	sizes [][]int // of the messages of each call that succeeded
}

func (k *scriptedKernel) sendmmsg(b *burst) (int, unix.Errno) {
	k.calls++
	var sizes []int
	for i := range b.n {
		bytes := int(b.iovs[i].Len)
		sourced := b.hdrs[i].hdr.Control != nil && (b.records[i] == 1 || int(b.hdrs[i].hdr.Controllen) > unix.CmsgSpace(2))
		if e := k.fail(i, b.records[i], bytes, sourced); e != 0 {
			if i == 0 {
				return 0, e
			}
			break
		}
		sizes = append(sizes, bytes)
	}
	k.sizes = append(k.sizes, sizes)
	return len(sizes), 0
}

func scripted(fail func(messages, records, bytes int, sourced bool) unix.Errno) (*scriptedKernel, *directPath) {
	k := &scriptedKernel{fail: fail}
	d := table()
	d.segment, d.hints, d.count = true, newHints(), new(Counters)
	d.out = directSender{via: k, spare: make(chan *burst, spareBursts)}
	return k, d.to(remoteN(1))
}

func TestRunsOfOneSizeShareAMessage(t *testing.T) {
	ok := func(int, int, int, bool) unix.Errno { return 0 }
	for _, c := range []struct {
		sizes []int
		want  []int
	}{
		{records.Repeat(1452, 128), []int{45 * 1452, 45 * 1452, 38 * 1452}},
		{append(records.Repeat(1000, 3), 100, 1000, 2000), []int{3100, 1000, 2000}},
		{records.Repeat(32, 100), []int{64 * 32, 36 * 32}},
		{[]int{50}, []int{50}},
		{[]int{8952, 8952, 8952, 8952, 8952, 8952, 8952, 8952}, []int{7 * 8952, 8952}},
	} {
		k, p := scripted(ok)
		if n, err := p.Send(records.BatchOf(c.sizes...)); n != len(c.sizes) || err != nil {
			t.Fatal(n, err)
		}
		if len(k.sizes) != 1 || !equal(k.sizes[0], c.want) {
			t.Errorf("%d records: messages %v, want %v in one call", len(c.sizes), k.sizes, c.want)
		}
	}
	k, p := scripted(ok)
	p.d.segment = false
	if p.Send(records.BatchOf(records.Repeat(1452, 64)...)); len(k.sizes) != 2 || len(k.sizes[0]) != 32 {
		t.Errorf("without segmentation: %v", k.sizes)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestFullSocketRefusesTheRest(t *testing.T) {
	for _, e := range []unix.Errno{unix.EAGAIN, unix.ENOBUFS} {
		_, p := scripted(func(i, _, _ int, _ bool) unix.Errno {
			if i == 2 {
				return e
			}
			return 0
		})
		left := 2
		p.d.out.via.(*scriptedKernel).fail = func(int, int, int, bool) unix.Errno {
			if left--; left < 0 {
				return e
			}
			return 0
		}
		n, err := p.Send(records.BatchOf(records.Repeat(1452, 128)...))
		if n != 90 || err != link.ErrQueueFull || p.d.count.Full.Load() != 38 {
			t.Errorf("%v: %d, %v, %d counted", e, n, err, p.d.count.Full.Load())
		}
	}
}

func TestSegmentationThatIsRefusedPausesOnThatPath(t *testing.T) {
	for _, e := range []unix.Errno{unix.EIO, unix.EINVAL, unix.EMSGSIZE} {
		bubble.Test(t, func(t *testing.T) {
			k, p := scripted(func(_, records, _ int, _ bool) unix.Errno {
				if records > 1 {
					return e
				}
				return 0
			})
			if n, err := p.Send(records.BatchOf(records.Repeat(1400, 40)...)); n != 40 || err != nil {
				t.Fatalf("%v: %d, %v", e, n, err)
			}
			k.calls = 0
			if p.Send(records.BatchOf(records.Repeat(1400, 30)...)); k.calls != 1 {
				t.Errorf("%v: refused again by %d calls", e, k.calls)
			}
			other := p.d.to(remoteN(2))
			if !other.segments() {
				t.Error("another path pays for it")
			}
			time.Sleep(plainFor + time.Second)
			k.fail = func(int, int, int, bool) unix.Errno { return 0 }
			if p.Send(records.BatchOf(records.Repeat(1400, 30)...)); len(k.sizes[len(k.sizes)-1]) != 1 {
				t.Errorf("%v: never tried again", e)
			}
		})
	}
}

func TestTooBigIsTheRecordsFaultNotTheSegmentations(t *testing.T) {
	_, p := scripted(func(_, records, bytes int, _ bool) unix.Errno {
		if bytes/records > 1372 {
			return unix.EMSGSIZE
		}
		return 0
	})
	n, err := p.Send(records.BatchOf(append(records.Repeat(1000, 3), records.Repeat(1452, 5)...)...))
	if n != 3 || err != link.ErrTooBig || !p.segments() {
		t.Fatalf("%d, %v, segments %v", n, err, p.segments())
	}
}

func TestGoneSourceIsDroppedBeforeSegmentationIsBlamed(t *testing.T) {
	_, p := scripted(func(_, _, _ int, sourced bool) unix.Errno {
		if sourced {
			return unix.EINVAL
		}
		return 0
	})
	p.arrived(localAddr{addr: remoteN(9).Addr()}, 0)
	if n, err := p.Send(records.BatchOf(records.Repeat(1400, 40)...)); n != 40 || err != nil {
		t.Fatal(n, err)
	}
	if p.source.Load() != nil || !p.segments() {
		t.Fatal("the source stayed, or segmentation was blamed")
	}
}

func TestErrorsOfOthersAreTriedAgain(t *testing.T) {
	for _, e := range []unix.Errno{unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.EMSGSIZE, unix.EACCES} {
		times := 2
		_, p := scripted(func(i, _, _ int, _ bool) unix.Errno {
			if times--; times >= 0 {
				return e
			}
			return 0
		})
		if n, err := p.Send(records.BatchOf(100, 200)); n != 2 || err != nil || p.d.count.Lost.Load() != 0 {
			t.Errorf("%v: %d, %v", e, n, err)
		}
		if len(p.d.hints.wake) != 1 || len(p.d.hints.take()) != 0 {
			t.Errorf("%v: nobody looks at the error queue, or the wrong remote is blamed", e)
		}
	}
	faults.Report(t, "C4", true, "errors that are about others are tried again")
}

func TestUnreachableIsSwallowedCountedAndReported(t *testing.T) {
	for _, e := range []unix.Errno{unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EPERM, unix.ENETDOWN, unix.EADDRNOTAVAIL} {
		k, p := scripted(func(int, int, int, bool) unix.Errno { return e })
		for range 3 {
			if n, err := p.Send(records.BatchOf(100, 200, 300)); n != 3 || err != nil {
				t.Fatalf("%v: %d, %v", e, n, err)
			}
		}
		if told := p.d.hints.take(); p.d.count.Lost.Load() != 9 || len(told) != 1 || told[0] != p.remote {
			t.Errorf("%v: %d counted, told %v", e, p.d.count.Lost.Load(), told)
		}
		k.calls = 0
		if p.Send(records.BatchOf(100)); k.calls > 2+maxPendingDown {
			t.Errorf("%v: %d calls for one send more", e, k.calls)
		}
		k.fail = func(int, int, int, bool) unix.Errno { return 0 }
		if p.Send(records.BatchOf(100)); p.down.Load() {
			t.Errorf("%v: still down after a send that worked", e)
		}
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	_, b, ab, _ := directPair(t, testOptions(loopback), testOptions(loopback))
	b.Handle(new(records.Tally)) // its allocations would count
	full, mixed := records.BatchOf(records.Repeat(1452, 64)...), records.BatchOf(100, 1200, 50, 1452, 1452, 90)
	ab.(*directPath).arrived(localAddr{addr: loopback.Addr()}, 0)
	if n := testing.AllocsPerRun(200, func() { ab.Send(full); ab.Send(mixed) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestReceiveAllocatesNothing(t *testing.T) {
	n := unstarted(t, testOptions(loopback))
	defer n.Close()
	got := new(records.Tally)
	n.Handle(got)
	s := newSorter(n.Socket)
	self, recs := n.Direct(n.LocalAddr()), records.BatchOf(append(records.Repeat(1452, 45), records.Repeat(700, 10)...)...)
	allocs := testing.AllocsPerRun(100, func() {
		self.Send(recs)
		pkts, err := n.reader.read()
		if err != nil || len(pkts) != 55 {
			t.Fatal(len(pkts), err)
		}
		s.sort(pkts)
		s.deliver()
	})
	if allocs != 0 || got.Count.Load() != 101*55 || got.Calls.Load() != 101 {
		t.Fatalf("%v allocations a receive, %d records in %d calls", allocs, got.Count.Load(), got.Calls.Load())
	}
}
