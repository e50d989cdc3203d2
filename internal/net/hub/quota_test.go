package hub

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A flow sends runs at a rate in bytes a second for a while, side by side with others.
type flow struct {
	from  int
	label relay.Label
	to    int
	rate  int
	size  int // datagrams of a run, of 1000 bytes
}

// pour lets flows send for a while, and returns the bytes that came of each.
func (d *desk) pour(length time.Duration, flows ...flow) (came []int) {
	rng := rand.New(rand.NewPCG(1, 2))
	begin := time.Now()
	next := make([]time.Duration, len(flows))
	came = make([]int, len(flows))
	for i := range next {
		next[i] = time.Duration(rng.Int64N(int64(10 * time.Millisecond)))
	}
	for {
		i := 0
		for j := range next {
			if next[j] < next[i] {
				i = j
			}
		}
		if next[i] >= length {
			time.Sleep(length - time.Since(begin))
			return came
		}
		time.Sleep(next[i] - time.Since(begin))
		f := flows[i]
		before, _ := d.paths[f.to].counted()
		d.labels.receive(d.paths[f.from], run(f.label, f.size, 1000)...)
		after, _ := d.paths[f.to].counted()
		came[i] += int(after.Bytes - before.Bytes)
		next[i] += time.Duration(float64(f.size*1000) / float64(f.rate) * (0.5 + rng.Float64()) * float64(time.Second))
	}
}

// A source gets its rate and no more, whatever it sends, and another one at once when
// it is changed.
func TestTheRateOfASource(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const rate = 1_000_000
		d := newDesk(t, relay.Peers, rate, 100*rate)
		d.up(1, 2)
		fromA, _ := d.join(1, 1, 2)
		f := flow{1, fromA, 2, 10 * rate, 40}
		within := func(what string, got, want int) {
			t.Helper()
			if got < want*9/10 || got > want*12/10 {
				t.Errorf("%s: %d bytes in 10 s, want %d", what, got, want)
			}
		}
		within("at first", d.pour(10*time.Second, f)[0], 10*rate)
		d.h.Configure(relay.Peers, 4*rate, 100*rate)
		within("faster", d.pour(10*time.Second, f)[0], 40*rate)
		d.h.Configure(relay.Peers, 4*rate, rate)
		within("a lower total", d.pour(10*time.Second, f)[0], 10*rate)
		s := d.h.Status()
		if s.Rate != 4*rate || s.Total != rate || s.Dropped["over_rate"].Datagrams == 0 || s.Dropped["over_share"].Datagrams == 0 {
			t.Errorf("%+v", s)
		}
		sum := s.Sent.Bytes
		for _, reason := range DropReasons() {
			sum += s.Dropped[reason].Bytes
		}
		if sum != s.Received.Bytes {
			t.Errorf("%d bytes came, %d left or were dropped", s.Received.Bytes, sum)
		}
	})
}

// A greedy source beside a modest one on a full hub: the modest one keeps at least 90 %
// of its share. It sends what its share is.
func TestAGreedySourceBesideAModestOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const total = 4_000_000
		d := newDesk(t, relay.Peers, total, total)
		d.up(1, 2, 3, 4)
		modest, _ := d.join(1, 1, 2)
		greedy, _ := d.join(2, 3, 4)
		const seconds = 10
		came := d.pour(seconds*time.Second, flow{1, modest, 2, total / 2, 10}, flow{3, greedy, 4, 10 * total, 45})
		kept := came[0] >= seconds*total/2*9/10
		faults.Report(t, "N3", kept, "of its share of %d MB/s the modest source got %.1f %%", total/2/1_000_000, 100*float64(came[0])/(seconds*total/2))
		if !kept {
			t.Errorf("the modest source got %d bytes of %d", came[0], seconds*total/2)
		}
		if sum := came[0] + came[1]; sum < seconds*total*9/10 || sum > seconds*total*12/10 {
			t.Errorf("%d bytes left in %d s, the total is %d", sum, seconds, seconds*total)
		}
	})
}

// Several goroutines read what the sources send, each of all of them. All is counted once,
// no more passes than the total and its burst, and the sources share alike.
func TestSeveralGoroutinesForward(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const total, seconds, readers, peers = 1_000_000, 3, 4, 8
		d := newDesk(t, relay.Peers, total, total)
		var from [peers]relay.Label
		for i := 0; i < peers; i += 2 {
			d.up(i+1, i+2)
			from[i], from[i+1] = d.join(uint32(i), i+1, i+2)
		}
		var all sync.WaitGroup
		for r := range readers {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(r), 9))
				for range seconds * 1000 {
					i := rng.IntN(peers)
					d.labels.receive(d.paths[i+1], run(from[i], 10, 100)...)
					time.Sleep(time.Millisecond)
				}
			})
		}
		all.Wait()
		s := d.h.Status()
		if s.Received.Bytes != readers*seconds*1000*1000 {
			t.Errorf("%d bytes came", s.Received.Bytes)
		}
		sum := s.Sent.Bytes
		for _, reason := range DropReasons() {
			sum += s.Dropped[reason].Bytes
		}
		if sum != s.Received.Bytes {
			t.Errorf("%d bytes came, %d left or were dropped", s.Received.Bytes, sum)
		}
		if s.Sent.Bytes < seconds*total*95/100 || s.Sent.Bytes > (seconds+1)*total+1000 {
			t.Errorf("%d bytes left in %d s, the total is %d a second", s.Sent.Bytes, seconds, total)
		}
		for i := range peers {
			if n, _ := d.paths[i+1].counted(); n.Bytes < seconds*total/peers*9/10 {
				t.Errorf("%d bytes left for peer %d", n.Bytes, i+1)
			}
		}
	})
}

// Guessed labels reach nobody, and neither do known ones from elsewhere. They are
// charged to nobody.
func TestGuessedLabels(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const rate = 1_000_000
		d := newDesk(t, relay.Peers, rate, rate)
		d.up(1, 2)
		fromA, _ := d.join(1, 1, 2)
		rng := rand.New(rand.NewPCG(7, 7))
		stranger := newPath(link.KindDirect, remote(77))
		for range 50_000 {
			var l relay.Label
			for i := range l {
				l[i] = byte(rng.Uint32())
			}
			l[0] |= 0x80
			if d.labels.receive(stranger, datagram(l, make([]byte, 100))) {
				t.Fatal("a guess is right")
			}
			d.labels.receive(stranger, datagram(fromA, make([]byte, 100)))
		}
		if n, _ := d.paths[2].counted(); n.Datagrams != 0 {
			t.Errorf("%d datagrams of a stranger came", n.Datagrams)
		}
		s := d.h.Status()
		if s.Dropped["wrong_source"].Datagrams != 50_000 || s.Received.Datagrams != 0 || s.Dropped["over_rate"].Datagrams != 0 {
			t.Errorf("%+v", s)
		}
		faults.Report(t, "N1", !t.Failed(), "50,000 guesses known to nobody, %d datagrams dropped for their source, %d forwarded", s.Dropped["wrong_source"].Datagrams, s.Sent.Datagrams)
		if d.wants(); d.passes(1, fromA, 2) == (relay.Label{}) {
			t.Error("the source cannot send: the guesses were charged to it")
		}
	})
}

// What a peer sends faster than the hub can handle is dropped, bounded for each peer,
// and another peer is served at once.
func TestAFloodOfMEET(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		d := newDesk(t, relay.Peers, 0, 0)
		d.up(1, 2, 3, 4)
		release := d.busy()
		sealed := wire.Meet{Other: did(2), Label: wire.RecordID(label(1)), Sealed: make([]byte, wire.MaxSealed)}
		for n := range 100_000 {
			sealed.ID = uint32(n)
			d.h.Frame(did(1), sealed.Append(nil))
		}
		d.h.Frame(did(3), meet(1, 4, label(3)))
		if n := d.h.Status().Ignored; n != 100_000-maxWaiting {
			t.Errorf("%d frames are ignored", n)
		}
		release()
		toVictim, toOther := 0, 0
		for _, s := range d.take() {
			switch s[0] {
			case '2':
				toVictim++
			case '4':
				toOther++
			}
		}
		if toVictim > 50 || toOther != 1 {
			t.Errorf("the flood brings %d frames to its callee, the honest peer %d", toVictim, toOther)
		}
		for n := range 10_000 { // 1,000 a second
			sealed.ID = uint32(1_000_000 + n)
			d.frame(1, sealed.Append(nil))
			time.Sleep(time.Millisecond)
		}
		toVictim = 0
		for _, s := range d.take() {
			if s[0] == '2' {
				toVictim++
			}
		}
		s := d.h.Status()
		kept := toVictim <= 50+10*10 && s.Meetings <= 64
		faults.Report(t, "N2", kept, "1,000 MEETs a second bring the callee %d in 10 s, %d meetings under way", toVictim, s.Meetings)
		if !kept {
			t.Errorf("%d frames to the callee in 10 s, %d meetings under way", toVictim, s.Meetings)
		}
	})
}
