package discovery

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/libertaria-project/l2tun/did"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// name is a DID by number.
func name(i int) did.DID {
	var d [32]byte
	binary.BigEndian.PutUint64(d[24:], uint64(i))
	d[0] = 1
	return did.FromDigest(d)
}

var noon = time.Unix(1_800_000_000, 0)

func at(s string) netip.Addr { return netip.MustParseAddr(s) }

// ask is the question of a node for one peer.
func ask(from, to did.DID, source netip.Addr, port uint16) []byte {
	return newBook(from, []did.DID{to}).questions(source, port, []did.DID{to})[0]
}

func mustParse(t *testing.T, b []byte) packet {
	t.Helper()
	p, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
