package link

import (
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Each number space is one carrier's, but for control's; and each fact that tells
// carriers apart is its own. What a hub forwards is dialled over no link.
func TestTableOfKinds(t *testing.T) {
	bySpace := map[wire.Space]*Kind{}
	names, shown, ranks := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for i := range kinds {
		k := &kinds[i]
		if k.index != i || k.Name == "" || k.Shown == "" || (k.Link == "") != k.Relayed || k.SafeSize <= 0 {
			t.Errorf("row %d is not whole: %+v", i, *k)
		}
		if k.Space == wire.SpaceControl || bySpace[k.Space] != nil {
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
	if len(bySpace) != wire.NumSpaces-1 {
		t.Errorf("%d carriers for %d number spaces beside control's", len(bySpace), wire.NumSpaces-1)
	}
}

// SPEC section 4: the values are on the wire.
func TestNumberSpacesOnTheWire(t *testing.T) {
	for k, want := range map[*Kind]wire.Space{KindDirect: 0, KindDatagram: 1, KindUTCP: 2, KindCircuit: 4} {
		if k.Space != want {
			t.Errorf("%s: space %d, want %d", k, k.Space, want)
		}
	}
	if wire.SpaceControl != 3 {
		t.Errorf("control: space %d", wire.SpaceControl)
	}
}

func TestSetOfKinds(t *testing.T) {
	var all Set
	if !all.Has(KindUTCP) || !slices.Equal(all.Links(), []wire.Link{wire.LinkQUIC, wire.LinkUTCP}) {
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

// Circuits are the last resort. They are counted and shown like any carrier, but no
// setting names them, and none forbids them.
func TestCircuitsAreNoChoice(t *testing.T) {
	k := KindCircuit
	if all := Kinds(); all[len(all)-1] != k || k.Conn || !k.Packets || !k.Probed || k.Batches || k.Keepalive != 0 || k.SafeSize != 1224 {
		t.Errorf("%+v", *k)
	}
	if slices.Contains(Names(), k.Name) || slices.Contains(Choices(), k) || len(Choices()) != len(Kinds())-1 || Listed() != "direct, datagram and utcp" {
		t.Errorf("a setting can name %s", Listed())
	}
	if _, err := Choose(k.Name); err == nil {
		t.Error("a setting takes circuits")
	}
	if back, err := ParseKind(k.Name); back != k || err != nil {
		t.Errorf("a status with circuit reads as %v, %v", back, err)
	}
	for _, s := range []Set{nil, {KindUTCP}, {KindDirect, KindDatagram}} {
		if !s.Has(k) || s.Uses("") || slices.Contains(s.Links(), "") {
			t.Errorf("the set %v: circuits %v, links %v", s, s.Has(k), s.Links())
		}
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
