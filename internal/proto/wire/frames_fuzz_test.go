package wire_test

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/packetgen"
)

// FuzzFrames reads its input as every kind of frame: what is taken comes back.
func FuzzFrames(f *testing.F) {
	var halves wire.Batch
	halves.AppendHalves(7, []byte{0x45, 1, 2})
	for _, b := range [][]byte{
		wire.AppendHeartbeat(nil, wire.FrameHeartbeat, 1), wire.AppendHeartbeat(nil, wire.FrameHeartbeatAck, 2), wire.AppendProbe(nil, 3, 100),
		wire.AppendEcho(nil, wire.Echo{4, netip.MustParseAddrPort("192.0.2.1:5"), 1452}), halves.At(0), halves.At(1), {wire.FrameClose, 0},
		wire.ProxyJoin{wire.ProxyAsks, 6, [4]byte{7}, [wire.DigestSize]byte{8}, []byte("s")}.Append(nil),
		wire.Piece{1, 2, 3, true, []byte("x")}.Append(nil), wire.Ack{1, 2, 3}.Append(nil), wire.MessagePreface(9), {},
	} {
		f.Add(b)
	}
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := packetgen.Of(b); ok {
			g := packetgen.Gen{Src4: netip.IPv4Unspecified(), Dst4: netip.IPv4Unspecified(), Src6: netip.IPv6Loopback(), Dst6: netip.IPv6Loopback()}
			b = s.Mutate(g.Frame(s))
		}
		same := func(what string, back []byte) {
			if !bytes.Equal(back, b) {
				t.Fatalf("%x is read as the %s %x", b, what, back)
			}
		}
		if nonce, ok := wire.ParseHeartbeat(b); ok {
			same("heartbeat", wire.AppendHeartbeat(nil, b[0], nonce))
		}
		if nonce, ok := wire.ParseProbe(b); ok {
			if back := wire.AppendProbe(nil, nonce, len(b)); len(back) != len(b) || !bytes.Equal(back[1:9], b[1:9]) {
				t.Fatalf("%x is read as the probe %x", b, back)
			}
		}
		if e, ok := wire.ParseEcho(b); ok {
			if again, ok := wire.ParseEcho(wire.AppendEcho(nil, e)); !ok || again != e {
				t.Fatalf("%x is read as %v", b, e)
			}
		}
		if _, half, body, ok := wire.ParsePart(b); ok && (half > 1 || len(body) == 0 || len(body) > len(b)) {
			t.Fatalf("%x is half %d with %d bytes", b, half, len(body))
		}
		if p, ok := wire.ParsePiece(b); ok {
			same("piece", p.Append(nil))
		}
		if a, ok := wire.ParseAck(b); ok {
			same("acknowledgement", a.Append(nil))
		}
		if p, ok := wire.ParseProxyJoin(b); ok {
			same("join that a hub passes on", p.Append(nil))
		}
		if channel, ok := wire.ParseMessagePreface(b); ok {
			same("preface", wire.MessagePreface(channel))
		}
		if k := wire.KindOf(b); (k == wire.KindInvalid) != (len(b) == 0 || b[0]>>4 == 5 || b[0]>>4 >= 7 && b[0]>>4 != 0xC && b[0]>>4 != 0xE) {
			t.Fatalf("%x is of kind %d", b, k)
		}
	})
}
