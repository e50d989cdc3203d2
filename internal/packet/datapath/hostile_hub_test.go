package datapath

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// hostile is an end whose hub is hostile: what it got and what it may send.
type hostile struct {
	a, b    *side
	x       *circuit.Circuits
	atB     *circuit.Path
	another *circuit.Path // of b, by the same hub
	hub     *hubPath
}

func newHostile(t *testing.T) *hostile {
	h := new(hostile)
	h.a, h.b = newPair(t, 1452)
	if err := h.b.peer.Install(h.b.e, false); err != nil {
		t.Fatal(err)
	}
	h.x = circuit.New(circuit.Config{Labels: h.b.data, Handler: h.b.data, Rand: rand.NewChaCha8([32]byte{1})})
	h.hub = &hubPath{pipe: h.b.path}
	leg := new(circuit.Leg)
	leg.Set(h.hub)
	for _, p := range []**circuit.Path{&h.atB, &h.another} {
		var err error
		if *p, err = h.x.Open([32]byte{9}, leg); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*p).Close)
	}
	return h
}

// record is one that a has sealed for b, with a packet of a number.
func (h *hostile) record(t *testing.T, n uint32) (rec, inside []byte) {
	var out wire.Batch
	inside = packet(addrA, addrB, 60, n)
	if err := h.a.e.Seal(&out, wire.SpaceCircuit, [][]byte{inside}); err != nil {
		t.Fatal(err)
	}
	return out.At(0), inside
}

// says delivers datagrams by the hub.
func (h *hostile) says(datagrams ...[]byte) {
	for _, d := range datagrams {
		h.b.data.Records(h.hub, [][]byte{bytes.Clone(d)})
	}
}

// SPEC 6.13: a hub may withhold, repeat and reorder; it cannot change or redirect. What
// it flips, cuts, repeats or swaps into another circuit comes out once at most,
// as it was sent, and as its sender's.
func TestHubThatFlipsRepeatsAndSwaps(t *testing.T) {
	h := newHostile(t)
	label := h.atB.Label()
	rec, want := h.record(t, 1)
	whole := under(label, rec)
	for i := range whole {
		for bit := range 8 {
			flipped := bytes.Clone(whole)
			flipped[i] ^= 1 << bit
			h.says(flipped)
		}
		h.says(whole[:i])
	}
	h.b.silent(t)
	h.says(whole, whole, under(h.another.Label(), rec), whole)
	if got := h.b.next(t); !bytes.Equal(got, want) {
		t.Errorf("%x came out", got)
	}
	h.b.silent(t)

	second, want2 := h.record(t, 2)
	third, want3 := h.record(t, 3)
	h.says(under(h.another.Label(), third), under(label, second), under(label, third)) // swapped, and out of order
	for _, want := range [][]byte{want3, want2} {
		if got := h.b.next(t); !bytes.Equal(got, want) {
			t.Errorf("%x came out, not %x", got, want)
		}
	}
	h.b.silent(t)
	if m := h.b.peer.Traffic().Total(); m.RxPackets != 3 {
		t.Errorf("%+v", m)
	}
	if d := h.b.peer.Traffic().Drops(); d["replayed"] != 4 || d["forged"] == 0 {
		t.Errorf("%v", d)
	}
	faults.Report(t, "N12", !t.Failed(), "a datagram of %d bytes with each bit flipped and cut at each byte: nothing comes out; of 8 copies, swapped and reordered, 3 packets, once each", len(whole))
}

// Whoever guesses labels, or knows one and is not the hub, reaches nothing: each
// datagram is counted, and nothing is kept.
func TestGuessedLabelsAtAnEnd(t *testing.T) {
	h := newHostile(t)
	const times = 50_000
	rec, want := h.record(t, 1)
	stranger := &hubPath{pipe: &pipe{carrier: link.KindDirect}}
	elsewhere := strangersPath{stranger}
	r := rand.New(rand.NewPCG(1, 2))
	run := make([][]byte, 1)
	guess := under(labelX, rec)
	known := under(h.atB.Label(), rec)
	buf := make([]byte, len(known))
	deliver := func(d []byte) {
		run[0] = buf[:copy(buf, d)]
		h.b.data.Records(elsewhere, run)
	}
	for range times {
		for i := 1; i < wire.CircuitHeaderSize; i++ {
			guess[i] = byte(r.Uint32())
		}
		guess[1] |= 0x80
		deliver(guess)
		deliver(known)
	}
	if n := testing.AllocsPerRun(100, func() { deliver(guess); deliver(known) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	h.b.silent(t)
	if n, m := h.b.data.Stray().Drops()["unknown_id"], h.x.Stats().Dropped[circuit.WrongSource.String()]; n < times || m < times {
		t.Errorf("%d and %d are counted", n, m)
	}
	if h.says(known); !bytes.Equal(h.b.next(t), want) {
		t.Error("the hub's own does not come out")
	}
	faults.Report(t, "N13", !t.Failed(), "%d guesses and %d from elsewhere: none opened, none kept, each counted, no allocation", times, times)
}

// strangersPath is a direct path from somebody else.
type strangersPath struct{ *hubPath }

func (strangersPath) Remote() netip.AddrPort { return netip.MustParseAddrPort("198.51.100.66:9") }
