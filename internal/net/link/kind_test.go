package link

import (
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Each number space is one carrier's, but for control's and that of circuits, which
// no carrier sends in yet; and each fact that tells carriers apart is its own.
func TestTableOfKinds(t *testing.T) {
	bySpace := map[wire.Space]*Kind{}
	names, shown, ranks := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for i := range kinds {
		k := &kinds[i]
		if k.index != i || k.Name == "" || k.Shown == "" || k.Link == "" || k.SafeSize <= 0 {
			t.Errorf("row %d is not whole: %+v", i, *k)
		}
		if k.Space == wire.SpaceControl || k.Space == wire.SpaceCircuit || bySpace[k.Space] != nil {
			t.Errorf("%s: number space %d", k, k.Space)
		}
		if names[k.Name] || shown[k.Shown] || ranks[k.Rank] {
			t.Errorf("%s: its name, word or rank is another's too", k)
		}
		bySpace[k.Space], names[k.Name], shown[k.Shown], ranks[k.Rank] = k, true, true, true
		if back, err := ParseKind(k.Name); back != k || err != nil {
			t.Errorf("%q reads as %v, %v", k.Name, back, err)
		}
	}
	if len(bySpace) != wire.NumSpaces-2 {
		t.Errorf("%d carriers for %d number spaces, control and circuits", len(bySpace), wire.NumSpaces-2)
	}
}

// SPEC section 4: the values are on the wire.
func TestNumberSpacesOnTheWire(t *testing.T) {
	for k, want := range map[*Kind]wire.Space{KindDirect: 0, KindDatagram: 1, KindUTCP: 2} {
		if k.Space != want {
			t.Errorf("%s: space %d, want %d", k, k.Space, want)
		}
	}
	if wire.SpaceControl != 3 || wire.SpaceCircuit != 4 {
		t.Errorf("control: space %d, circuits: space %d", wire.SpaceControl, wire.SpaceCircuit)
	}
}

func TestSetOfKinds(t *testing.T) {
	var all Set
	if !all.Has(KindUTCP) || !slices.Equal(all.Links()[:2], []wire.Link{wire.LinkQUIC, wire.LinkUTCP}) {
		t.Errorf("the empty set has links %v", all.Links())
	}
	one := Set{KindDatagram}
	if one.Has(KindDirect) || !one.Has(KindDatagram) || !one.Uses(wire.LinkQUIC) || one.Uses(wire.LinkUTCP) {
		t.Errorf("the set of datagram: links %v", one.Links())
	}
	if n := testing.AllocsPerRun(100, func() { one.Uses(wire.LinkQUIC); one.Has(KindUTCP) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is counted is counted by carrier, and the total is the sum.
func TestTrafficByKind(t *testing.T) {
	var traffic Traffic
	for i, k := range Kinds() {
		traffic.Sent(k, i+1, 100*(i+1))
		traffic.Received(k, 10*(i+1), 1000*(i+1))
	}
	var total Moved
	for i, k := range Kinds() {
		want := Moved{RxBytes: uint64(1000 * (i + 1)), TxBytes: uint64(100 * (i + 1)), RxPackets: uint64(10 * (i + 1)), TxPackets: uint64(i + 1)}
		if got := traffic.Carried()[k.Name]; got != want {
			t.Errorf("%s: %+v, want %+v", k, got, want)
		}
		total = Moved{total.RxBytes + want.RxBytes, total.TxBytes + want.TxBytes, total.RxPackets + want.RxPackets, total.TxPackets + want.TxPackets}
	}
	if sum := traffic.Total(); sum != total {
		t.Errorf("in all %+v, want %+v", sum, total)
	}
}
