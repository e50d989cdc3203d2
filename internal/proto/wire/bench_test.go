package wire

import (
	"net/netip"
	"testing"
)

// BenchmarkHeader reads the header of a record, as each received one is.
func BenchmarkHeader(b *testing.B) {
	rec := make([]byte, Overhead+64)
	PutHeader(rec, RecordID{0x80, 1, 2, 3, 4, 5, 6}, 1<<40, SpaceDirect)
	b.ReportAllocs()
	for b.Loop() {
		if _, c, _, ok := ParseHeader(rec); !ok || c != 1<<40 {
			b.Fatal(c, ok)
		}
	}
}

// BenchmarkFrames classifies and reads a plaintext of each kind of frame.
func BenchmarkFrames(b *testing.B) {
	var halves Batch
	halves.AppendHalves(7, make([]byte, 1400))
	for _, f := range []struct {
		name  string
		plain []byte
		read  func([]byte) bool
	}{
		{"heartbeat", AppendHeartbeat(nil, FrameHeartbeat, 1), func(p []byte) bool { _, ok := ParseHeartbeat(p); return ok }},
		{"part", halves.At(0), func(p []byte) bool { _, _, _, ok := ParsePart(p); return ok }},
		{"probe", AppendProbe(nil, 1, 1420), func(p []byte) bool { _, ok := ParseProbe(p); return ok }},
		{"echo", AppendEcho(nil, Echo{Nonce: 1, Seen: netip.MustParseAddrPort("192.0.2.1:4242"), Widest: 1452}), func(p []byte) bool { _, ok := ParseEcho(p); return ok }},
	} {
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if KindOf(f.plain) != KindFrame || !f.read(f.plain) {
					b.Fatal("it is not read")
				}
			}
		})
	}
}
