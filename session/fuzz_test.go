package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/packetgen"
)

// FuzzFrames: a peer with a good session sends whatever frames it likes. The
// session outlives them, or ends and comes back; nothing else happens to it.
func FuzzFrames(f *testing.F) {
	add := func(frames ...[]byte) {
		var in []byte
		for _, b := range frames {
			in = append(append(in, byte(len(b)), byte(len(b)>>8)), b...)
		}
		f.Add(in)
	}
	short := make([]byte, 1+wire.M1rSize)
	short[0] = wire.FrameHandshake
	wire.HandshakeHeader{Type: wire.MsgM1r, Mode: wire.ModeRotate, Ref: wire.Ref{Low: 1, High: 2}}.Put(short[1:])
	m3r := make([]byte, 1+wire.M3rSize)
	m3r[0] = wire.FrameHandshake
	wire.HandshakeHeader{Type: wire.MsgM3r, Mode: wire.ModeRotate, Ref: wire.Ref{Low: 1, High: 2}}.Put(m3r[1:])
	add(wire.AppendHeartbeat(nil, wire.FrameHeartbeat, 1), wire.AppendHeartbeat(nil, wire.FrameHeartbeatAck, 1), wire.AppendProbe(nil, 1, 100))
	add(short, m3r, short[:17], short[:1])
	add([]byte{wire.FrameClose, 0}, []byte{wire.FrameClose}, []byte{wire.FrameClose, 0})
	add([]byte{0x3f}, []byte{wire.FramePart, 1, 1, 1, 4}, make([]byte, wire.EchoSize))
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if s, ok := packetgen.Of(in); ok {
			in = nil
			for g := (packetgen.Gen{Src4: w4(10, 0, 0, 1), Dst4: w4(10, 0, 0, 2), Src6: netip.IPv6Loopback(), Dst6: netip.IPv6Loopback()}); s.More() && len(in) < 1<<16; {
				b := s.Mutate(g.Frame(s))
				in = append(append(in, byte(len(b)), byte(len(b)>>8)), b...)
			}
		}
		inWorld(t, func(t *testing.T, w *world) {
			sa, sb := w.pair(Settings{})
			for len(in) > 2 {
				n := min(int(in[0])|int(in[1])<<8, len(in)-2, 1400)
				if frame := in[2 : 2+n]; n > 0 && wire.KindOf(frame) == wire.KindFrame {
					sb.box.post(func(time.Time) { sb.sendFrame(frame) })
					time.Sleep(time.Millisecond)
				}
				in = in[2+n:]
			}
			time.Sleep(time.Second)
			w.want(sa, Established, 2*time.Minute)
			w.want(sb, Established, 2*time.Minute)
		})
	})
}

// FuzzPieces: pieces of messages in any order, as from a peer, against what a
// channel promises: whole, in order, each once, and never more bytes than were
// granted.
func FuzzPieces(f *testing.F) {
	f.Add([]byte{1, 0, 1, 5, 2, 0, 0, 3, 2, 3, 1, 4})
	f.Add([]byte{1, 0, 0, 255, 1, 255, 1, 1, 0, 0, 0, 0, 1, 0, 1, 9})
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var m messages
		m.init(0)
		stream := m.newStream()
		done, offset := uint64(0), 0
		if s, ok := packetgen.Of(in); ok { // mostly the piece that is expected
			in = nil
			for n, at := byte(1), 0; s.More(); {
				flags := s.Byte() // mostly none
				piece := []byte{n, byte(at), flags & s.Byte() & 3, s.Byte() & 31}
				if at += int(piece[3]); piece[2]&1 != 0 {
					n, at = n+1, 0
				}
				if piece[2]&2 != 0 || at > 255 {
					at = 0
				}
				in = append(in, s.Mutate(piece)...)
			}
		}
		for ; len(in) >= 4; in = in[4:] {
			p := wire.Piece{Number: uint64(in[0]), Offset: uint32(in[1]), Last: in[2]&1 != 0, Data: make([]byte, int(in[3]))}
			if in[2]&2 != 0 { // the connection is replaced
				stream, offset = m.newStream(), 0
			}
			fits := p.Number == done+1 && int(p.Offset) == offset
			if got := m.chunk(stream, p); got != (fits || p.Number <= done) {
				t.Fatalf("%d at %d after %d at %d: %v", p.Number, p.Offset, done, offset, got)
			}
			if fits && p.Last {
				done, offset = done+1, 0
			} else if fits {
				offset += len(p.Data)
			}
			if a, _ := m.ack(); a.number != done || len(m.in) != int(done) || m.waiting > m.limit {
				t.Fatalf("acknowledged %d of %d, %d in the queue, %d bytes", a.number, done, len(m.in), m.waiting)
			}
		}
	})
}
