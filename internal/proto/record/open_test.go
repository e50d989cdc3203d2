package record

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestWhatIsSealedOpens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := testKeys(rapid.SampledFrom(bothCiphers).Draw(t, "cipher"))
		a, _ := New(k)
		k.Send, k.Recv, k.SendID, k.RecvID = k.Recv, k.Send, k.RecvID, k.SendID
		b, _ := New(k)
		space := wire.Space(rapid.IntRange(0, wire.NumSpaces-1).Draw(t, "space"))
		plains := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 2000), 0, 20).Draw(t, "plains")
		var recs, out wire.Batch
		out.Append([]byte("before"))
		if err := a.Seal(&recs, space, plains); err != nil {
			t.Fatal(err)
		}
		order := rapid.Permutation(elements(&recs)).Draw(t, "order")
		if d := b.Open(&out, order); d != (Drops{}) || out.Len() != len(plains)+1 || b.Opened() != uint64(len(plains)) {
			t.Fatalf("drops %+v, %d elements", d, out.Len())
		}
		for i, rec := range order {
			_, counter, _, _ := wire.ParseHeader(rec)
			if !bytes.Equal(out.At(i+1), plains[counter]) {
				t.Fatalf("element %d differs", i)
			}
		}
		again := b.Open(&out, order)
		if space != wire.SpaceControl && int(again.Replayed) != len(plains) {
			t.Fatalf("again: %+v of %d", again, len(plains))
		}
		if space == wire.SpaceControl && again != (Drops{}) {
			t.Fatalf("control has no window: %+v", again)
		}
	})
}

func TestEveryChangedByteIsRefused(t *testing.T) {
	for _, c := range bothCiphers {
		a, b := pair(t, c)
		rec := sealOne(t, a, wire.SpaceDirect, bytes.Repeat([]byte{0x45}, 40))
		for i := range rec {
			for bit := range 8 {
				bad := bytes.Clone(rec)
				bad[i] ^= 1 << bit
				if _, v := b.OpenTo(make([]byte, 0, 100), bad); v != Forged && v != Malformed {
					t.Fatalf("%v: byte %d bit %d: verdict %d", c, i, bit, v)
				}
			}
		}
		for n := range rec {
			if _, v := b.OpenTo(make([]byte, 0, 100), rec[:n]); v == Opened {
				t.Fatalf("%v: opened when cut to %d bytes", c, n)
			}
		}
		if _, v := b.OpenTo(make([]byte, 0, 100), rec); v != Opened {
			t.Fatalf("%v: forgeries have spoilt the window: verdict %d", c, v)
		}
	}
}

func TestReflectedAndForeignRecordsAreRefused(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	rec := sealOne(t, a, wire.SpaceDirect, []byte{0x45})
	if _, v := a.OpenTo(make([]byte, 0, 10), rec); v != Malformed {
		t.Errorf("reflected: verdict %d", v)
	}
	id := a.RecvID()
	copy(rec[1:8], id[:])
	if _, v := a.OpenTo(make([]byte, 0, 10), rec); v != Forged {
		t.Errorf("reflected with our id: verdict %d", v)
	}
	var out wire.Batch
	if d := b.Open(&out, [][]byte{nil, {1}, make([]byte, 100), rec}); d.Malformed != 4 || out.Len() != 0 {
		t.Errorf("%+v", d)
	}
}

func TestOpenKeepsTheGoodOnesOfAMixedBatch(t *testing.T) {
	a, b := pair(t, wire.ChaCha20Poly1305)
	var recs, out wire.Batch
	if err := a.Seal(&recs, wire.SpaceDatagram, plainsOf(6, 30)); err != nil {
		t.Fatal(err)
	}
	r := elements(&recs)
	r[1][20] ^= 1
	r[4] = r[0]
	d := b.Open(&out, append(r, r[5][:31]))
	if d != (Drops{Replayed: 1, Forged: 1, Malformed: 1}) || out.Len() != 4 {
		t.Fatalf("%+v, %d opened", d, out.Len())
	}
	for i, want := range []byte{0, 2, 3, 5} {
		if p := out.At(i); len(p) != 30 || p[0] != want {
			t.Errorf("element %d: %x", i, p)
		}
	}
}

// The contract of a placed open: room is checked first, the bytes before
// len(dst) never change, the number is used up by success only.
func TestOpenToPlacesOrLeaves(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	rec := sealOne(t, a, wire.SpaceDirect, []byte("Eplain"))
	buf := []byte("headroom......tail")
	if got, v := b.OpenTo(buf[:8:13], rec); v != TooBig || len(got) != 8 {
		t.Fatalf("verdict %d", v)
	}
	bad := bytes.Clone(rec)
	bad[16] ^= 1
	if got, v := b.OpenTo(buf[:8], bad); v != Forged || len(got) != 8 {
		t.Fatalf("verdict %d", v)
	}
	if !bytes.HasPrefix(buf, []byte("headroom")) || !bytes.HasSuffix(buf, []byte("tail")) {
		t.Errorf("a failed open wrote outside its range: %q", buf)
	}
	got, v := b.OpenTo(buf[:8:14], rec)
	if v != Opened || string(got) != "headroomEplain" || &got[0] != &buf[0] || string(buf) != "headroomEplaintail" {
		t.Errorf("verdict %d, %q", v, buf)
	}
}

// The receivers open each record at the same moment: more than one of them
// finds its number fresh, one may deliver it.
func TestARecordOpensOnceAmongManyReceivers(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	plain := make([]byte, 60_000) // long enough for the calls to overlap
	const rounds, receivers = 300, 4
	var opened, replayed atomic.Int64
	for range rounds {
		rec := sealOne(t, a, wire.SpaceDirect, plain)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range receivers {
			wg.Go(func() {
				buf := make([]byte, 0, len(plain))
				<-begin
				switch _, v := b.OpenTo(buf, rec); v {
				case Opened:
					opened.Add(1)
				case Replayed:
					replayed.Add(1)
				}
			})
		}
		close(begin)
		wg.Wait()
	}
	if opened.Load() != rounds || replayed.Load() != rounds*(receivers-1) || b.Opened() != rounds {
		t.Errorf("opened %d, replayed %d", opened.Load(), replayed.Load())
	}
}

// The window is asked first: an old number costs no decryption and does not
// count as a failed open.
func TestAReplayedNumberIsNotDecrypted(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	rec := sealOne(t, a, wire.SpaceDirect, []byte("E"))
	buf := make([]byte, 0, 10)
	if _, v := b.OpenTo(buf, rec); v != Opened {
		t.Fatal(v)
	}
	rec[len(rec)-1] ^= 1
	if _, v := b.OpenTo(buf, rec); v != Replayed || b.recv.forged.Load() != 0 {
		t.Errorf("verdict %d, %d failed opens", v, b.recv.forged.Load())
	}
}

func FuzzOpen(f *testing.F) {
	k := testKeys(wire.AES256GCM)
	k.Send, k.Recv, k.SendID, k.RecvID = k.Recv, k.Send, k.RecvID, k.SendID
	a, err := New(k)
	if err != nil {
		f.Fatal(err)
	}
	known := make(map[string]bool)
	for s := wire.Space(0); s < wire.NumSpaces; s++ {
		rec := sealOne(f, a, s, []byte{0x45, byte(s)})
		known[string(rec)] = true
		f.Add(rec)
		f.Add(rec[:wire.Overhead-1])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, rec []byte) {
		b := newEpoch(t, testKeys(wire.AES256GCM))
		var out wire.Batch
		d := b.Open(&out, [][]byte{rec, rec})
		if out.Len()+int(d.Total()) != 2 {
			t.Fatalf("%d opened, %+v dropped", out.Len(), d)
		}
		if known[string(rec)] != (out.Len() > 0) {
			t.Fatalf("known %v, opened %d", known[string(rec)], out.Len())
		}
	})
}
