package discovery

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

func TestAnswersAreFewASecondPerSource(t *testing.T) {
	g, n := newGate(), 0
	for ms := range 10_000 {
		if g.answer(at("192.0.2.1"), noon.Add(time.Duration(ms)*time.Millisecond)) {
			n++
		}
	}
	if n < 13 || n > 14 { // 4 at once, and one a second
		t.Errorf("%d answers in 10 s", n)
	}
	faults.Report(t, "D4", true, "of 10,000 questions of one source in 10 s %d are answered: 4 at once, then 1 a second", n)
}

func TestAnswersAreFewInAll(t *testing.T) {
	g, n := newGate(), 0
	for i := range 100_000 {
		if g.answer(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), noon) {
			n++
		}
	}
	if n > answersMax {
		t.Errorf("%d answers at once", n)
	}
}

func TestWorkIsBounded(t *testing.T) {
	g, tried := newGate(), 0
	for i := range 100_000 {
		source := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if g.try(source, 1000, noon.Add(time.Duration(i)*10*time.Microsecond)) { // for a second
			tried += 1000
		}
	}
	if tried > trialBurst+trialRate {
		t.Errorf("%d hashes in a second", tried)
	}
	one := 0
	g = newGate()
	for i := range 10_000 {
		if g.try(at("fe80::1"), 1, noon.Add(time.Duration(i)*100*time.Microsecond)) {
			one++
		}
	}
	if one > sourceBurst+sourceRate || one < sourceBurst {
		t.Errorf("%d packets of one source in a second", one)
	}
	if !g.try(at("fe80::2"), maxPeers, noon.Add(time.Second)) {
		t.Error("the largest book is never tried")
	}
}
