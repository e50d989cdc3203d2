package record

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

var bothCiphers = []wire.Cipher{wire.AES256GCM, wire.ChaCha20Poly1305}

func fill(b byte) (k [32]byte) {
	for i := range k {
		k[i] = b
	}
	return k
}

func testKeys(c wire.Cipher) Keys {
	return Keys{
		Number: 3, Cipher: c, Circuits: true, Send: fill(0xA1), Recv: fill(0xB2),
		SendID: wire.MakeRecordID([7]byte{1, 2, 3, 4, 5, 6, 7}),
		RecvID: wire.MakeRecordID([7]byte{9, 8, 7, 6, 5, 4, 3}),
	}
}

// pair returns the two ends of one epoch.
func pair(t testing.TB, c wire.Cipher) (a, b *Epoch) {
	t.Helper()
	k := testKeys(c)
	a = newEpoch(t, k)
	k.Send, k.Recv, k.SendID, k.RecvID = k.Recv, k.Send, k.RecvID, k.SendID
	return a, newEpoch(t, k)
}

func newEpoch(t testing.TB, k Keys) *Epoch {
	t.Helper()
	e, err := New(k)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func sealOne(t testing.TB, e *Epoch, s wire.Space, plain []byte) []byte {
	t.Helper()
	var b wire.Batch
	if err := e.Seal(&b, s, [][]byte{plain}); err != nil {
		t.Fatal(err)
	}
	return b.At(0)
}

// skipTo lets the next record of a space have the given number.
func skipTo(e *Epoch, s wire.Space, counter uint64) { e.send.next[s].Store(counter) }

func plainsOf(n, size int) [][]byte {
	plains := make([][]byte, n)
	for i := range plains {
		plains[i] = make([]byte, size)
		if size > 0 {
			plains[i][0] = byte(i)
		}
	}
	return plains
}

func elements(b *wire.Batch) [][]byte {
	recs := make([][]byte, b.Len())
	for i := range recs {
		recs[i] = b.At(i)
	}
	return recs
}
