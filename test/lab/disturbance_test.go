package lab

import (
	"bytes"
	"math/bits"
	"slices"
	"testing"
	"time"
)

// fates runs n numbered packets, a millisecond apart, and returns the numbers
// in the order in which they leave.
func fates(j *judge, n int) (order []int) {
	type leaving struct {
		no  int
		due time.Time
	}
	var all []leaving
	start := time.Unix(1000, 0)
	for i := range n {
		for _, p := range j.packet(start.Add(time.Duration(i)*time.Millisecond), []byte{byte(i), byte(i >> 8), 0, 0}) {
			all = append(all, leaving{i, p.due})
		}
	}
	slices.SortStableFunc(all, func(a, b leaving) int { return a.due.Compare(b.due) })
	for _, l := range all {
		order = append(order, l.no)
	}
	return order
}

func judgeWith(seed uint64, d Disturbance) *judge {
	j := newJudge(seed, Up)
	j.set(func(old *Disturbance) { *old = d })
	return j
}

func TestSeedDecidesTheFates(t *testing.T) {
	d := Disturbance{Drop: 0.2, Duplicate: 0.1, Reorder: 0.1, Jitter: 3 * time.Millisecond}
	one, same, other := fates(judgeWith(7, d), 500), fates(judgeWith(7, d), 500), fates(judgeWith(8, d), 500)
	if !slices.Equal(one, same) {
		t.Error("same seed, other fates")
	}
	if slices.Equal(one, other) {
		t.Error("another seed, same fates")
	}
}

func TestDropsDoNotDependOnOtherEffects(t *testing.T) {
	plain := fates(judgeWith(7, Disturbance{Drop: 0.2}), 500)
	more := fates(judgeWith(7, Disturbance{Drop: 0.2, Corrupt: 0.5, Delay: time.Second}), 500)
	if !slices.Equal(plain, more) {
		t.Error("switching corruption on changed which packets are dropped")
	}
}

func TestDropRateIsMet(t *testing.T) {
	left := len(fates(judgeWith(1, Disturbance{Drop: 0.3}), 10000))
	if left < 6800 || left > 7200 {
		t.Errorf("%d of 10000 left after dropping 30%%", left)
	}
}

func TestEachNthIsDropped(t *testing.T) {
	got := fates(judgeWith(1, Disturbance{DropNth: 3}), 9)
	if want := []int{0, 1, 3, 4, 6, 7}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

func TestPredicateChooses(t *testing.T) {
	got := fates(judgeWith(1, Disturbance{Keep: func(p []byte) bool { return p[0]%2 == 1 }}), 6)
	if want := []int{1, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
}

func TestPredicatesHoldBackAndDouble(t *testing.T) {
	is := func(n byte) func([]byte) bool { return func(p []byte) bool { return p[0] == n } }
	j := judgeWith(1, Disturbance{Late: is(1), ReorderBy: 1500 * time.Microsecond, Twice: is(3)})
	if got, want := fates(j, 5), []int{0, 2, 1, 3, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("left %v, want %v", got, want)
	}
	if s := j.count(); s.Reordered != 1 || s.Duplicated != 1 {
		t.Errorf("%+v", s)
	}
}

func TestJitterAndShorterDelayKeepOrder(t *testing.T) {
	j := judgeWith(1, Disturbance{Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond})
	now := time.Unix(1000, 0)
	var last time.Time
	for i := range 200 {
		if i == 100 {
			j.set(func(d *Disturbance) { *d = Disturbance{} })
		}
		p := j.packet(now.Add(time.Duration(i)*time.Millisecond/10), []byte{1})[0]
		if p.due.Before(last) {
			t.Fatalf("packet %d is due before the one ahead of it", i)
		}
		last = p.due
	}
}

func TestReorderedPacketsAreOvertaken(t *testing.T) {
	j := judgeWith(1, Disturbance{Reorder: 0.1})
	got := fates(j, 1000)
	if len(got) != 1000 {
		t.Fatalf("%d of 1000 left", len(got))
	}
	late := 0
	for i := 1; i < len(got); i++ {
		if got[i] < got[i-1] {
			late++
		}
	}
	if late < 50 || late > 150 || j.count().Reordered < uint64(late) {
		t.Errorf("%d packets came after a later one, counted %d", late, j.count().Reordered)
	}
}

func TestDuplicatesAreCounted(t *testing.T) {
	j := judgeWith(1, Disturbance{Duplicate: 0.25})
	got := len(fates(j, 1000))
	if got < 1200 || got > 1300 || j.count().Duplicated != uint64(got-1000) {
		t.Errorf("%d packets of 1000, %d counted as duplicates", got, j.count().Duplicated)
	}
}

func TestCorruptionFlipsOneBitOfACopy(t *testing.T) {
	j := judgeWith(1, Disturbance{Corrupt: 1})
	for range 100 {
		in := []byte("a packet of some length")
		out := j.packet(time.Now(), in)[0].data
		if !bytes.Equal(in, []byte("a packet of some length")) {
			t.Fatal("the caller's packet was changed")
		}
		flipped := 0
		for i := range in {
			flipped += bits.OnesCount8(in[i] ^ out[i])
		}
		if flipped != 1 {
			t.Fatalf("%d bits flipped", flipped)
		}
	}
	if got := j.packet(time.Now(), nil); len(got) != 1 || len(got[0].data) != 0 {
		t.Error("an empty packet did not stay one")
	}
}
