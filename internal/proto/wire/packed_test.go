package wire

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// element is a packet of a batch with its header.
func element(packet []byte, segment uint16) []byte {
	b := make([]byte, BatchHeaderSize)
	PutBatchHeader(b, len(packet), segment)
	return append(b, packet...)
}

// SPEC section 7.12: what is put into a batch comes out of it.
func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []byte
		type elem struct {
			packet  []byte
			segment uint16
		}
		var elems []elem
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			e := elem{rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "packet"), rapid.Uint16().Draw(t, "segment")}
			elems, all = append(elems, e), append(all, element(e.packet, e.segment)...)
		}
		for i, e := range elems {
			packet, segment, rest, ok := CutBatch(all)
			if !ok || !bytes.Equal(packet, e.packet) || segment != e.segment || cap(packet) != len(packet) {
				t.Fatalf("element %d: %x, %d, %v", i, packet, segment, ok)
			}
			all = rest
		}
		if len(all) != 0 {
			t.Fatalf("%d bytes left", len(all))
		}
	})
}

func TestLargestPacketFitsABatch(t *testing.T) {
	b := element(make([]byte, 1<<16-1), 1380)
	if packet, segment, rest, ok := CutBatch(b); len(b) != MaxBatch || !ok || len(packet) != 1<<16-1 || segment != 1380 || len(rest) != 0 {
		t.Fatalf("%d bytes: %d, %d, %d, %v", len(b), len(packet), segment, len(rest), ok)
	}
}

// Vectors by hand, and every way to spoil them.
func TestBatchHeaderIsChecked(t *testing.T) {
	good := []byte{7, 0, 3, 0, 0x64, 5, 0, 0, 0, 0, 0x45, 1, 2}
	if got := element(good[10:], 1380); !bytes.Equal(got, good) {
		t.Fatalf("%x, want %x", got, good)
	}
	for n := range good {
		if _, _, _, ok := CutBatch(good[:n]); ok {
			t.Errorf("%d bytes of %d pass", n, len(good))
		}
	}
	for _, i := range []int{0, 1, 6, 7, 8, 9} {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if _, _, _, ok := CutBatch(bad); ok {
			t.Errorf("byte %d is not checked", i)
		}
	}
	for _, length := range []int{0, 4, 1<<16 - 1} {
		bad := bytes.Clone(good)
		PutBatchHeader(bad, length, 0)
		if _, _, _, ok := CutBatch(bad); ok {
			t.Errorf("a length of %d passes", length)
		}
	}
}
