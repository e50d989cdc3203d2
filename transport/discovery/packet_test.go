package discovery

import (
	"bytes"
	"errors"
	"testing"

	"github.com/libertaria-project/l2tun/test/packetgen"
)

func TestPacketsAreParsedAsWritten(t *testing.T) {
	for _, n := range []int{1, 2, 59, 60} {
		for _, k := range []kind{question, answer} {
			s := salt(random(saltSize))
			var entries []entry
			for range n {
				entries = append(entries, entry(random(entrySize)))
			}
			b := appendPacket(nil, k, s, entries)
			p := mustParse(t, b)
			if len(b) != 24+18*n || p.kind != k || p.salt != s || p.len() != n {
				t.Errorf("%d entries: %d bytes, %+v", n, len(b), p)
			}
			for i := range entries {
				if *p.at(i) != entries[i] {
					t.Errorf("entry %d of %d", i, n)
				}
			}
		}
	}
}

func TestEntryHoldsItsFields(t *testing.T) {
	e := newEntry(0x1122334455667788, 0xabcd, [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	want := []byte{0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xab, 0xcd, 1, 2, 3, 4, 5, 6, 7, 8}
	if !bytes.Equal(e[:], want) || e.id() != 0x1122334455667788 || e.port() != 0xabcd || e.proof() != [8]byte(want[10:]) {
		t.Errorf("%x", e)
	}
}

func TestNoOtherBytesAreAPacket(t *testing.T) {
	good := appendPacket(nil, question, salt{}, make([]entry, 3))
	for i := range good[:headerSize] {
		for x := 1; x < 256; x++ {
			bad := bytes.Clone(good)
			bad[i] ^= byte(x)
			turned := i == 5 && bad[i] == byte(answer) // the other kind is one
			if _, err := parse(bad); (err == nil) != turned || err != nil && !errors.Is(err, ErrMalformed) {
				t.Fatalf("byte %d as %#x: %v", i, bad[i], err)
			}
		}
	}
	// Every length but the right one, longer ones with entries to spare.
	long := append(bytes.Clone(good), make([]byte, 1500)...)
	for n := range long {
		if _, err := parse(long[:n]); (err == nil) != (n == len(good)) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if _, err := parse(appendPacket(nil, question, salt{}, nil)); err == nil {
		t.Error("a packet without entries")
	}
	if _, err := parse(appendPacket(nil, question, salt{}, make([]entry, 61))); err == nil {
		t.Error("a packet of 61 entries")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(appendPacket(nil, question, salt{}, make([]entry, 1)))
	f.Add(appendPacket(nil, answer, salt{1}, make([]entry, 60)))
	f.Add([]byte(magic))
	book := newBook(name(1), names(2, 5))
	for _, in := range packetgen.Seeds() {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := packetgen.Of(b); ok {
			entries := make([]entry, 1+s.N(60))
			for i := range entries {
				entries[i] = newEntry(uint64(s.Byte()), uint16(s.Byte()), [8]byte{s.Byte()})
			}
			b = s.Mutate(appendPacket(nil, packetgen.One(s, question, answer), salt{s.Byte()}, entries))
		}
		p, err := parse(b)
		if err != nil {
			return
		}
		entries := make([]entry, p.len())
		for i := range entries {
			entries[i] = *p.at(i)
		}
		if !bytes.Equal(appendPacket(nil, p.kind, p.salt, entries), b) {
			t.Errorf("%x is parsed to something else", b)
		}
		if peer, _, ok := book.sender(p, at("192.0.2.1")); ok {
			t.Errorf("made-up bytes are from %v", peer)
		}
	})
}
