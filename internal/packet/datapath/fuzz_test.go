package datapath

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/test/packetgen"
)

// FuzzPlaintexts: a peer with good keys seals whatever it likes, frames and
// parts too. Only whole packets from its own addresses come out of the device.
func FuzzPlaintexts(f *testing.F) {
	add := func(plains ...[]byte) {
		var in []byte
		for _, p := range plains {
			in = append(append(in, byte(len(p))), p...)
		}
		f.Add(in)
	}
	good := packet(addrA, addrB, 60, 1)
	var parts wire.Batch
	parts.AppendHalves(1, good)
	parts.AppendHalves(2, wire.AppendProbe(nil, 1, 100))
	add(good, packet(addrB, addrA, 60, 2), good)
	add(parts.Slices()...)
	add(parts.At(1), good, parts.At(0), parts.At(0))
	add(wire.AppendHeartbeat(nil, wire.FrameHeartbeat, 1), []byte{wire.FramePart}, []byte{0xE0}, []byte{0x50}, nil)
	fl := newFlow(true, 4000, 12, 30)
	p := fl.next(30, 0).Buf
	p[0] |= wire.PartialBit
	add(p, p)
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	a, b := offloadPair(f, 1452, true, true)
	f.Fuzz(func(t *testing.T, in []byte) {
		plains := plaintextsOf(in)
		before := b.peer.Traffic().Drops()
		for _, p := range a.sends(t, b, plains) {
			src, ok := routing.Source(p)
			if owner, known := b.data.Owners().Routes().Lookup(src); !ok || !known || owner != b.peer {
				t.Fatalf("a packet from %v came out of the device: %x", src, p)
			}
		}
		for _, kind := range []link.Drop{link.DropForged, link.DropReplayed, link.DropUnknown} {
			if after := b.peer.Traffic().Drops(); after[kind.String()] != before[kind.String()] {
				t.Fatalf("good records are counted as %s", kind)
			}
		}
		b.sink.forget()
	})
}

// hosts makes packets from A to B.
func hosts() *packetgen.Gen {
	return &packetgen.Gen{Src4: addrA, Dst4: addrB, Src6: addrA6, Dst6: addrB6}
}

// plaintextsOf cuts a fuzz input into plaintexts, or makes some as it chooses.
func plaintextsOf(in []byte) (plains [][]byte) {
	if s, ok := packetgen.Of(in); ok {
		for g := hosts(); s.More() && len(plains) < 64; {
			plains = append(plains, g.Plaintext(s))
		}
		return plains
	}
	for len(in) > 1 {
		n := min(int(in[0]), len(in)-1)
		plains = append(plains, in[1:1+n])
		in = in[1+n:]
	}
	return plains
}

// forget keeps a long fuzz run from keeping every frame.
func (s *sinkLog) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames = nil
}
