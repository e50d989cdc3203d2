package discovery

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

func place4(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 4242)
}

func TestTableKeepsTheNewestFour(t *testing.T) {
	var table Table
	for i := range 100 {
		if !table.Add(Found{name(1), place4(i)}, noon) {
			t.Errorf("%d is not new", i)
		}
	}
	want := []netip.AddrPort{place4(99), place4(98), place4(97), place4(96)}
	if got := table.Endpoints(name(1), noon); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if table.Add(Found{name(1), place4(97)}, noon) {
		t.Error("known, but new")
	}
	if got := table.Endpoints(name(1), noon); got[0] != place4(97) || len(got) != 4 {
		t.Errorf("%v", got)
	}
	if got := table.Endpoints(name(2), noon); got != nil {
		t.Errorf("another peer has %v", got)
	}
}

func TestTableForgetsAfterTwoMinutes(t *testing.T) {
	var table Table
	table.Add(Found{name(1), place4(1)}, noon)
	table.Add(Found{name(1), place4(2)}, noon.Add(time.Minute))
	for after, want := range map[time.Duration]int{0: 2, 119 * time.Second: 2, 2 * time.Minute: 1, 3 * time.Minute: 0} {
		if got := table.Endpoints(name(1), noon.Add(after)); len(got) != want {
			t.Errorf("after %v: %v", after, got)
		}
	}
	for i := range 1000 { // peers that came and went
		table.Add(Found{name(i), place4(1)}, noon.Add(time.Duration(i)*time.Second))
	}
	if n := len(table.known); n > 250 {
		t.Errorf("%d peers are kept, 120 are heard of in 2 minutes", n)
	}
}
