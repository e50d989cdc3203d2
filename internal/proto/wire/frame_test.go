package wire

import (
	"bytes"
	"fmt"
	"testing"
)

// SPEC 7.1: the first nibble says what a plaintext is.
func TestKindOf(t *testing.T) {
	want := map[byte]Kind{0x4: KindPacket, 0x6: KindPacket, 0xC: KindPartial, 0xE: KindPartial,
		0: KindFrame, 1: KindFrame, 2: KindFrame, 3: KindFrame}
	for b := range 256 {
		if got := KindOf([]byte{byte(b)}); got != want[byte(b>>4)] {
			t.Errorf("%#02x is %v", b, got)
		}
	}
	if KindOf(nil) != KindInvalid {
		t.Error("nothing is a kind")
	}
}

// SPEC 3.1: no record that we send has the size of a stateless reset.
// SPEC R-3.1-3.
func TestNoFrameHasTheSizeOfAReset(t *testing.T) {
	const reset = 42
	sizes := map[string]int{"heartbeat": len(AppendHeartbeat(nil, FrameHeartbeat, 1)), "close": CloseSize,
		"probe": len(AppendProbe(nil, 1, 0)), "echo": len(AppendEcho(nil, Echo{})),
		"ack": len(Ack{}.Append(nil)), "message": len(Piece{}.Append(nil)),
		"M3r": 1 + M3rSize, "meet": minMeet, "ready": ReadySize, "not met": NotMetSize, "home": HomeSize, "sleep": SleepSize}
	for n := range MaxCandidates + 1 {
		sizes[fmt.Sprint("candidates ", n)] = 2 + n*CandidateSize
	}
	for name, n := range sizes {
		if n+Overhead == reset {
			t.Errorf("the record of a %s is %d bytes", name, reset)
		}
	}
}

// SPEC R-6.10-3.
func TestHeartbeatAndProbe(t *testing.T) {
	for n := range 40 {
		_, ok := ParseHeartbeat(make([]byte, n))
		if ok != (n == HeartbeatSize) {
			t.Errorf("heartbeat of %d bytes: %v", n, ok)
		}
	}
	if nonce, ok := ParseHeartbeat(AppendHeartbeat(nil, FrameHeartbeatAck, 1<<63|5)); !ok || nonce != 1<<63|5 {
		t.Error("heartbeat does not survive")
	}
	for _, size := range []int{0, MinProbe, 1420} {
		p := AppendProbe(nil, 7, size)
		nonce, ok := ParseProbe(p)
		if !ok || nonce != 7 || len(p) != max(size, MinProbe) {
			t.Errorf("probe of %d: %d bytes, %v", size, len(p), ok)
		}
		if len(AppendEcho(nil, Echo{Nonce: 7})) > len(p) {
			t.Error("an echo is larger than its probe")
		}
	}
	if _, ok := ParseProbe(make([]byte, MinProbe-1)); ok {
		t.Error("a probe smaller than its answer is taken")
	}
}

// SPEC 7.3: halves give the whole, the first one byte longer for odd lengths.
func TestHalves(t *testing.T) {
	for n := 2; n < 50; n++ {
		whole := bytes.Repeat([]byte{byte(n)}, n)
		var b Batch
		b.AppendHalves(0x8001, whole)
		var joined []byte
		for i := range 2 {
			id, index, body, ok := ParsePart(b.At(i))
			if !ok || id != 0x8001 || int(index) != i {
				t.Fatalf("half %d of %d: %d %d %v", i, n, id, index, ok)
			}
			if i == 0 && len(body) != (n+1)/2 {
				t.Errorf("first half of %d is %d", n, len(body))
			}
			joined = append(joined, body...)
		}
		if !bytes.Equal(joined, whole) {
			t.Errorf("%d bytes do not survive", n)
		}
	}
	for _, bad := range [][]byte{nil, {FramePart}, {FramePart, 0, 0, 0}, {FramePart, 0, 0, 2, 1}} {
		if _, _, _, ok := ParsePart(bad); ok {
			t.Errorf("part %v is taken", bad)
		}
	}
}

func TestMessageFrames(t *testing.T) {
	want := Piece{Channel: 1 << 63, Number: 5, Offset: 16384, Last: true, Data: []byte("abc")}
	got, ok := ParsePiece(want.Append(nil))
	if !ok || got.Channel != want.Channel || got.Number != 5 || got.Offset != 16384 || !got.Last || string(got.Data) != "abc" {
		t.Fatalf("%+v", got)
	}
	if got, ok := ParsePiece(Piece{Number: 5}.Append(nil)); !ok || got.Last || len(got.Data) != 0 {
		t.Fatal("an empty piece does not survive")
	}
	if a, ok := ParseAck(Ack{7, 3, 1 << 40}.Append(nil)); !ok || a != (Ack{7, 3, 1 << 40}) {
		t.Fatal("an ack does not survive")
	}
	for n := range 40 {
		f := make([]byte, n)
		if n > 0 {
			f[0] = FrameAck
		}
		if _, ok := ParseAck(f); ok != (n == ackSize) {
			t.Errorf("ack of %d bytes: %v", n, ok)
		}
		if n > 1 {
			f[0], f[1] = FrameMessage, 2
			if _, ok := ParsePiece(f); ok {
				t.Error("unknown flags are taken")
			}
		}
	}
	if id, ok := ParseMessagePreface(MessagePreface(99)); !ok || id != 99 {
		t.Error("a preface does not survive")
	}
	if _, ok := ParseMessagePreface(make([]byte, HandshakeHeaderSize)); ok {
		t.Error("the preface is not told from a handshake")
	}
	if _, err := MessageSize(MessagePreface(1)); err == nil {
		t.Error("a preface is taken for a handshake message")
	}
}

func TestRecordHeader(t *testing.T) {
	id := MakeRecordID([7]byte{1, 2, 3, 4, 5, 6, 7})
	rec := make([]byte, Overhead)
	for space := range Space(NumSpaces) {
		PutHeader(rec, id, MaxCounter-1, space)
		gotID, counter, gotSpace, ok := ParseHeader(rec)
		if !ok || gotID != id || counter != MaxCounter-1 || gotSpace != space {
			t.Fatal(gotID, counter, gotSpace, ok)
		}
	}
	rec[15] = NumSpaces
	if _, _, _, ok := ParseHeader(rec); ok {
		t.Error("an unknown number space is taken")
	}
	for bit := range 8 {
		bad := bytes.Clone(rec)
		bad[0] ^= 1 << bit
		if IsRecord(bad) {
			t.Errorf("byte 0 %#02x is taken for a record", bad[0])
		}
	}
	rec[1] &^= 0x80
	if IsRecord(rec) || IsRecord(rec[:Overhead-1]) {
		t.Error("a packet of QUIC is taken for a record")
	}
}

func TestParams(t *testing.T) {
	p := Params{RecordID: MakeRecordID([7]byte{9}), AES: true, AcceptsPartial: true, Circuits: true, Networks: true, MTU: 1420, Epoch: 7, Incarnation: 1 << 63}
	b := p.Append(nil)
	if got, err := ParseParams(b); err != nil || got != p || len(b) != ParamsSize {
		t.Fatal(got, err)
	}
	later := bytes.Clone(b) // of a version that states more
	later[7], later[14], later[15] = 0xff, 9, 0xff
	p.Minor = 9
	if got, err := ParseParams(later); err != nil || got != p {
		t.Errorf("a later version's are %+v, %v", got, err)
	}
	if _, err := ParseParams(b[:23]); err == nil {
		t.Error("short parameters are taken")
	}
	p.Epoch = 0
	if _, err := ParseParams(p.Append(nil)); err == nil {
		t.Error("epoch 0 is taken")
	}
}

func TestBatch(t *testing.T) {
	var b Batch
	for i := range 5 {
		b.Append(bytes.Repeat([]byte{byte(i)}, i))
	}
	b.Truncate(3)
	if b.Len() != 3 || len(b.Buf) != 3 || len(b.At(0)) != 0 || string(b.At(2)) != "\x02\x02" {
		t.Fatalf("%+v", b)
	}
	b.Truncate(9)
	if all := b.Slices(); len(all) != 3 || len(all[1]) != 1 {
		t.Fatalf("%v", all)
	}
	if b.Reset(); b.Len() != 0 || len(b.Buf) != 0 {
		t.Fatal("reset keeps something")
	}
}
