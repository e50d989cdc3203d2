package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

type vector struct {
	Name, Cipher, Key, ID, Plain, Record string
	Space                                wire.Space
	Counter                              uint64
}

func readVectors(t *testing.T) []vector {
	t.Helper()
	raw, err := os.ReadFile("../../../spec/vectors/records.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(raw, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) != 50 {
		t.Fatalf("%d vectors, want 50", len(vs))
	}
	return vs
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// SPEC "Records": layout, nonce and additional data, as another implementation
// makes them.
func TestRecordsEqualVectorsOfAnotherImplementation(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			k := testKeys(wire.AES256GCM)
			if v.Cipher == wire.ChaCha20Poly1305.String() {
				k.Cipher = wire.ChaCha20Poly1305
			}
			plain, want := unhex(t, v.Plain), unhex(t, v.Record)
			out := k
			out.Send, out.SendID = [32]byte(unhex(t, v.Key)), wire.RecordID(unhex(t, v.ID))
			e := newEpoch(t, out)
			skipTo(e, v.Space, v.Counter)
			if got := sealOne(t, e, v.Space, plain); !bytes.Equal(got, want) {
				t.Errorf("sealed\n%x, want\n%x", got, want)
			}
			in := k
			in.Recv, in.RecvID = out.Send, out.SendID
			got, verdict := newEpoch(t, in).OpenTo(make([]byte, 0, len(plain)), want)
			if verdict != Opened || !bytes.Equal(got, plain) {
				t.Errorf("opened %x (verdict %d), want %x", got, verdict, plain)
			}
		})
	}
}
