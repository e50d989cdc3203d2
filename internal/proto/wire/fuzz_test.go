package wire

import (
	"bytes"
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

// FuzzParams: known flags are kept, unknown ones and byte 15 ignored, all else comes
// back.
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
		want[7], want[15] = want[7]&(flagAES|flagPartial|flagCircuit|flagNetwork), 0
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
