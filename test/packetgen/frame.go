package packetgen

import (
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Partial marks a packet as one with a partial checksum.
func Partial(packet []byte) []byte {
	wire.SetPartial(packet)
	return packet
}

// Plaintext is what a peer may seal: a packet, whole or partial, a frame, or one
// that is broken.
func (g *Gen) Plaintext(s *Source) []byte {
	switch s.N(4) {
	case 0, 1:
		return s.Mutate(Partial(g.simple(s)))
	case 2:
		return s.Mutate(g.Packet(s))
	}
	return s.Mutate(g.Frame(s))
}

// simple is a packet of the simple form.
func (g *Gen) simple(s *Source) []byte {
	was := g.Simple
	g.Simple = true
	defer func() { g.Simple = was }()
	return g.Packet(s)
}

// Frame is one valid frame of any type.
func (g *Gen) Frame(s *Source) []byte {
	nonce := uint64(s.Byte())
	switch s.N(11) {
	case 0:
		return wire.AppendHeartbeat(nil, wire.FrameHeartbeat, nonce)
	case 1:
		return wire.AppendHeartbeat(nil, wire.FrameHeartbeatAck, nonce)
	case 2:
		return wire.AppendProbe(nil, nonce, One(s, 64, 100, 1163, 1415))
	case 3:
		return wire.AppendEcho(nil, wire.Echo{Nonce: nonce, Seen: netip.AddrPortFrom(g.Src4, 4242), Widest: s.N(1500)})
	case 4:
		return []byte{wire.FrameClose, s.Byte() & 1}
	case 5: // half of a packet, or of a frame
		var b wire.Batch
		inner := g.Packet(s)
		if s.Bool() {
			inner = append(wire.AppendProbe(nil, nonce, 100), s.Byte())
		}
		b.AppendHalves(uint16(s.N(4)), s.Mutate(inner))
		return append([]byte(nil), b.At(s.N(2))...)
	case 6:
		return append([]byte{wire.FrameHandshake}, make([]byte, One(s, 0, 16, 1200, 2248))...)
	case 7:
		return wire.Piece{Channel: nonce, Number: uint64(s.Byte()), Offset: uint32(s.Byte()), Last: s.Bool(), Data: make([]byte, s.N(300))}.Append(nil)
	case 8:
		return wire.Ack{Channel: nonce, Number: uint64(s.Byte()), Limit: uint64(s.N(65536))}.Append(nil)
	case 9:
		return g.meeting(s)
	}
	return g.Batch(s)
}

// meeting is a frame by which nodes meet and sleep.
func (g *Gen) meeting(s *Source) []byte {
	who := [wire.DigestSize]byte{1, s.Byte()}
	id := uint32(s.Byte())
	var c wire.Candidates
	for range s.N(wire.MaxCandidates + 1) {
		c.Add(wire.Candidate{Addr: netip.AddrPortFrom(One(s, g.Src4, g.Src6, g.Dst4, g.Dst6), uint16(1024+s.N(4))), Kind: wire.CandidateKind(1 + s.N(5))})
	}
	switch s.N(6) {
	case 0:
		m := wire.Meet{Met: s.Bool(), ID: id, Other: who, Label: wire.MakeRecordID([wire.RecordIDSize]byte{s.Byte()}), RTT: time.Duration(s.N(300)) * time.Millisecond,
			Candidates: c, Sealed: make([]byte, One(s, 0, 1, wire.MaxSealed))}
		return m.Append(nil)
	case 1:
		return wire.Ready{ID: id, Caller: who}.Append(nil)
	case 2:
		return wire.NotMet{ID: id, Caller: who, Reason: wire.Refusal(1 + s.N(3))}.Append(nil)
	case 3:
		return c.Append(nil)
	case 4:
		return wire.Home{Answer: s.Bool(), Lifetime: time.Duration(s.N(70_000)) * time.Second, Circuits: s.N(65)}.Append(nil)
	}
	return One(s, wire.Sleep{Step: wire.SleepAsk, How: wire.WakeEndpoint}, wire.Sleep{Step: wire.SleepAgree, How: wire.WakeEndpoint | wire.WakeHub},
		wire.Sleep{Step: wire.SleepRefuse}).Append(nil)
}

// Batch is the plaintext of a batch: elements with packets, whole, partial, and
// super-packets, each of which may be broken.
func (g *Gen) Batch(s *Source) (plain []byte) {
	for range 1 + s.N(5) {
		var packet []byte
		segment := uint16(0)
		switch s.N(3) {
		case 0:
			packet = g.Packet(s)
		case 1:
			packet = Partial(g.simple(s))
		case 2:
			packet = Partial(g.simple(s))
			segment = One(s, uint16(512), 600, 1360, 511, 1, 65535)
		}
		packet = s.Mutate(packet)
		if len(plain)+wire.BatchHeaderSize+len(packet) > wire.MaxBatch || len(packet) > 1<<16-1 {
			break
		}
		head := make([]byte, wire.BatchHeaderSize)
		wire.PutBatchHeader(head, len(packet), segment)
		plain = append(append(plain, head...), packet...)
	}
	return s.Mutate(plain)
}
