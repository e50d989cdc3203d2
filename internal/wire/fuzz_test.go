package wire

import (
	"bytes"
	"net/netip"
	"testing"
)

// FuzzHandshakeHeader: what is taken is written back to the same bytes, and says
// a size that a stream reader may wait for.
func FuzzHandshakeHeader(f *testing.F) {
	for _, h := range headers() {
		b := make([]byte, HandshakeHeaderSize)
		h.Put(b)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHandshakeHeader(b)
		n, sizeErr := MessageSize(b)
		if (err == nil) != (sizeErr == nil) || err == nil && (n < HandshakeHeaderSize || n > KeysSize) || err != nil && n != 0 {
			t.Fatalf("%+v, %v; size %d, %v", h, err, n, sizeErr)
		}
		if err != nil {
			return
		}
		back := make([]byte, HandshakeHeaderSize)
		if h.Put(back); !bytes.Equal(back, b[:HandshakeHeaderSize]) {
			t.Fatalf("%x is read as %+v, which is %x", b, h, back)
		}
	})
}

// FuzzParams: known flags are kept, unknown ones ignored, all else comes back.
func FuzzParams(f *testing.F) {
	f.Add(Params{RecordID: MakeRecordID([7]byte{1}), AES: true, AcceptsPartial: true, MTU: 1420, Epoch: 1, Incarnation: 2}.Append(nil))
	f.Add(make([]byte, ParamsSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseParams(b)
		if err != nil {
			if p != (Params{}) {
				t.Fatalf("%+v comes with an error", p)
			}
			return
		}
		want := bytes.Clone(b)
		want[7] &= flagAES | flagPartial
		if got := p.Append(nil); !bytes.Equal(got, want) || !p.RecordID.Valid() || p.Epoch == 0 {
			t.Fatalf("%x is read as %+v", b, p)
		}
	})
}

// FuzzRecordHeader: a header that is taken is a record by form, and comes back.
func FuzzRecordHeader(f *testing.F) {
	rec := make([]byte, Overhead)
	PutHeader(rec, MakeRecordID([7]byte{1, 2}), MaxCounter, SpaceControl)
	f.Add(rec)
	f.Add(rec[:Overhead-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		id, counter, space, ok := ParseHeader(b)
		if !ok {
			return
		}
		back := make([]byte, HeaderSize)
		PutHeader(back, id, counter, space)
		if !IsRecord(b) || !id.Valid() || counter > MaxCounter || space >= NumSpaces || !bytes.Equal(back, b[:HeaderSize]) {
			t.Fatalf("%x is read as %x %d %d", b, id, counter, space)
		}
	})
}

// FuzzFrames reads its input as every kind of frame: what is taken comes back.
func FuzzFrames(f *testing.F) {
	var halves Batch
	halves.AppendHalves(7, []byte{0x45, 1, 2})
	for _, b := range [][]byte{
		AppendHeartbeat(nil, FrameHeartbeat, 1), AppendHeartbeat(nil, FrameHeartbeatAck, 2), AppendProbe(nil, 3, 100),
		AppendEcho(nil, Echo{4, netip.MustParseAddrPort("192.0.2.1:5"), 1452}), halves.At(0), halves.At(1), {FrameClose, 0},
		Piece{1, 2, 3, true, []byte("x")}.Append(nil), Ack{1, 2, 3}.Append(nil), MessagePreface(9), {},
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		same := func(what string, back []byte) {
			if !bytes.Equal(back, b) {
				t.Fatalf("%x is read as the %s %x", b, what, back)
			}
		}
		if nonce, ok := ParseHeartbeat(b); ok {
			same("heartbeat", AppendHeartbeat(nil, b[0], nonce))
		}
		if nonce, ok := ParseProbe(b); ok {
			if back := AppendProbe(nil, nonce, len(b)); len(back) != len(b) || !bytes.Equal(back[1:9], b[1:9]) {
				t.Fatalf("%x is read as the probe %x", b, back)
			}
		}
		if e, ok := ParseEcho(b); ok {
			if again, ok := ParseEcho(AppendEcho(nil, e)); !ok || again != e {
				t.Fatalf("%x is read as %v", b, e)
			}
		}
		if _, half, body, ok := ParsePart(b); ok && (half > 1 || len(body) == 0 || len(body) > len(b)) {
			t.Fatalf("%x is half %d with %d bytes", b, half, len(body))
		}
		if p, ok := ParsePiece(b); ok {
			same("piece", p.Append(nil))
		}
		if a, ok := ParseAck(b); ok {
			same("acknowledgement", a.Append(nil))
		}
		if channel, ok := ParseMessagePreface(b); ok {
			same("preface", MessagePreface(channel))
		}
		if k := KindOf(b); (k == KindInvalid) != (len(b) == 0 || b[0]>>4 == 5 || b[0]>>4 >= 7 && b[0]>>4 != 0xC && b[0]>>4 != 0xE) {
			t.Fatalf("%x is of kind %d", b, k)
		}
	})
}
