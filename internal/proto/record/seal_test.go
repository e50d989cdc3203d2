package record

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

func TestSealNumbersABatchInOrderAndSpacesApart(t *testing.T) {
	a, _ := pair(t, wire.AES256GCM)
	var b wire.Batch
	for _, s := range []wire.Space{wire.SpaceDirect, wire.SpaceUTCP, wire.SpaceDirect} {
		if err := a.Seal(&b, s, plainsOf(3, 10)); err != nil {
			t.Fatal(err)
		}
	}
	want := []uint64{0, 1, 2, 0, 1, 2, 3, 4, 5}
	for i, rec := range elements(&b) {
		id, counter, _, ok := wire.ParseHeader(rec)
		if !ok || counter != want[i] || id != testKeys(0).SendID {
			t.Errorf("record %d: id %x, counter %d, ok %v", i, id, counter, ok)
		}
	}
	records, size := a.Sealed()
	if records != 9 || size != uint64(len(b.Buf)) {
		t.Errorf("sealed %d records of %d bytes, want 9 of %d", records, size, len(b.Buf))
	}
}

func TestSealOfNothingTakesNoNumber(t *testing.T) {
	a, _ := pair(t, wire.AES256GCM)
	var b wire.Batch
	if err := a.Seal(&b, wire.SpaceDirect, nil); err != nil || b.Len() != 0 {
		t.Fatalf("err %v, %d records", err, b.Len())
	}
	_, counter, _, _ := wire.ParseHeader(sealOne(t, a, wire.SpaceDirect, nil))
	if counter != 0 {
		t.Errorf("first record has number %d", counter)
	}
}

// A number used twice is a nonce used twice. That every record opens shows that
// concurrent calls do not share scratch.
// SPEC R-4-2.
func TestNoNumberIsGivenTwice(t *testing.T) {
	a, b := pair(t, wire.ChaCha20Poly1305)
	const workers, rounds, size = 12, 60, 7
	batches := make([]wire.Batch, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for r := range rounds {
				if err := a.Seal(&batches[w], wire.Space(r%wire.NumSpaces), plainsOf(size, 1400)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := make(map[[8]byte]bool)
	var out wire.Batch
	for w := range batches {
		if d := b.Open(&out, elements(&batches[w])); d.Total() != 0 {
			t.Errorf("%+v", d)
		}
		for _, rec := range elements(&batches[w]) {
			n := [8]byte(rec[8:16])
			if seen[n] {
				t.Fatalf("nonce %x twice", n)
			}
			seen[n] = true
		}
	}
	if len(seen) != workers*rounds*size {
		t.Errorf("%d numbers, want %d", len(seen), workers*rounds*size)
	}
	faults.Report(t, "O6", true, "numbers come from one atomic counter, which a stopped process does not set back")
}

func TestEqualPlaintextsNeverGiveEqualRecords(t *testing.T) {
	for _, c := range bothCiphers {
		a, _ := pair(t, c)
		plain := bytes.Repeat([]byte{7}, 64)
		seen := make(map[string]bool)
		for s := wire.Space(0); s < wire.NumSpaces; s++ {
			for range 50 {
				body := string(sealOne(t, a, s, plain)[wire.HeaderSize:])
				if seen[body] {
					t.Fatalf("%v: equal ciphertext twice", c)
				}
				seen[body] = true
			}
		}
	}
}

func TestErasedEpochSealsAndOpensNothing(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	rec := sealOne(t, a, wire.SpaceDirect, []byte{0x45})
	a.Erase()
	a.Erase()
	b.Erase()
	var out wire.Batch
	if err := a.Seal(&out, wire.SpaceDirect, plainsOf(1, 10)); !errors.Is(err, ErrErased) {
		t.Errorf("Seal: %v", err)
	}
	if d := b.Open(&out, [][]byte{rec}); d.Total() != 1 || d.Replayed != 1 || out.Len() != 0 || len(out.Buf) != 0 {
		t.Errorf("Open: %+v, %d elements", d, out.Len())
	}
}

// Only the race detector and the error values can judge this one.
func TestEraseBesideSealAndOpen(t *testing.T) {
	for range 20 {
		a, b := pair(t, wire.AES256GCM)
		rec := sealOne(t, a, wire.SpaceDirect, []byte{0x45, 1})
		var wg sync.WaitGroup
		wg.Go(func() {
			var out wire.Batch
			for err := error(nil); err == nil; out.Reset() {
				err = b.Seal(&out, wire.SpaceDirect, plainsOf(4, 100))
				if err != nil && !errors.Is(err, ErrErased) {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			var out wire.Batch
			for range 50 {
				b.Open(&out, [][]byte{rec})
			}
		})
		wg.Go(b.Erase)
		wg.Wait()
	}
}
