package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
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
					sb.box.Post(func(time.Time) {
						if p := sb.loop.paths.Using(); p != nil {
							frames.Send(sb.loop.keys.InUse(), p, p.Kind().Space, frame)
						}
					})
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
