package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestFramedRecordsAreReadBack(t *testing.T) {
	a, b := pair(t, wire.ChaCha20Poly1305)
	var stream bytes.Buffer
	frames := []string{"x", "second", "third"}
	for _, f := range frames {
		out, err := a.SealFramed([]byte(f))
		if err != nil {
			t.Fatal(err)
		}
		stream.Write(out)
	}
	for _, f := range frames {
		rec, err := ReadFramed(&stream, 100)
		if err != nil {
			t.Fatal(err)
		}
		if plain, v := b.OpenTo(make([]byte, 0, len(rec)), rec); v != Opened || string(plain) != f {
			t.Errorf("%q is %q, %v", f, plain, v)
		}
	}
}

func TestFramedLengthsAreBounded(t *testing.T) {
	for _, n := range []uint32{0, 1, wire.Overhead, 101, 1 << 31, 1<<32 - 1} {
		stream := bytes.NewReader(append(binary.LittleEndian.AppendUint32(nil, n), make([]byte, 200)...))
		if _, err := ReadFramed(stream, 100); !errors.Is(err, ErrLength) || stream.Len() != 200 {
			t.Errorf("%d bytes: %v, %d left", n, err, stream.Len())
		}
	}
	for _, n := range []uint32{wire.Overhead + 1, 100} {
		stream := bytes.NewReader(append(binary.LittleEndian.AppendUint32(nil, n), make([]byte, 200)...))
		if rec, err := ReadFramed(stream, 100); err != nil || len(rec) != int(n) {
			t.Errorf("%d bytes: %v, %d read", n, err, len(rec))
		}
	}
	cut := bytes.NewReader(binary.LittleEndian.AppendUint32(nil, 60))
	if _, err := ReadFramed(cut, 100); !errors.Is(err, io.EOF) {
		t.Errorf("a stream that ends: %v", err)
	}
}

func TestErasedEpochFramesNothing(t *testing.T) {
	a, _ := pair(t, wire.ChaCha20Poly1305)
	a.Erase()
	if _, err := a.SealFramed([]byte("x")); !errors.Is(err, ErrErased) {
		t.Error(err)
	}
}
