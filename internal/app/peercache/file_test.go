package peercache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func who(n int) did.DID {
	var d [wire.DigestSize]byte
	binary.BigEndian.PutUint32(d[:], uint32(n))
	return did.FromDigest(d)
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func some() []entry {
	return []entry{
		{peer: who(1), addresses: []netip.AddrPort{at("192.0.2.1:4242"), at("[2001:db8::1]:4242")}, keys: bytes.Repeat([]byte{7}, wire.KeysBodySize)},
		{peer: who(2)},
		{peer: who(3), addresses: []netip.AddrPort{at("[fd00::1]:1")}},
	}
}

func TestFileComesBack(t *testing.T) {
	for _, want := range [][]entry{nil, some()} {
		got, err := decode(encode(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
}

// Nothing shorter is taken, nothing longer, and nothing with one byte changed.
func TestEveryDamageIsNoticed(t *testing.T) {
	text := encode(some())
	for n := range text {
		if _, err := decode(text[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are taken", n, len(text))
		}
		bad := bytes.Clone(text)
		bad[n] ^= 0x10
		if _, err := decode(bad); err == nil {
			t.Fatalf("byte %d may change", n)
		}
	}
	if _, err := decode(append(text, 0)); err == nil {
		t.Error("a byte more is taken")
	}
}

// sealed is a text with the sum that belongs to it.
func sealed(text []byte) []byte {
	sum := sha256.Sum256(text)
	return append(text, sum[:]...)
}

// head is the beginning of a file of so many peers.
func head(peers uint16) []byte {
	return binary.BigEndian.AppendUint16(append([]byte(magic), version), peers)
}

// The sum is nobody's signature: what it fits is judged all the same.
func TestWhatEncodeDoesNotWriteIsRefused(t *testing.T) {
	ip := func(s string, port uint16) []byte {
		a := netip.MustParseAddr(s).As16()
		return binary.BigEndian.AppendUint16(a[:], port)
	}
	one := func(count byte, addresses ...[]byte) []byte {
		digest := who(1).Digest()
		b := append(head(1), digest[:]...)
		return append(append(append(b, count), bytes.Join(addresses, nil)...), 0)
	}
	good := ip("192.0.2.1", 4242)
	other := head(0)
	other[len(magic)]++
	many := make([]entry, maxPeers+1)
	for i := range many {
		many[i].peer = who(i + 1)
	}
	for name, text := range map[string][]byte{
		"another version":        other,
		"fewer peers than said":  head(1),
		"more than said":         append(head(0), one(0)[headSize:]...),
		"nobody":                 append(append(head(1), make([]byte, wire.DigestSize)...), 0, 0),
		"a peer twice":           append(append(head(2), one(0)[headSize:]...), one(0)[headSize:]...),
		"an address twice":       one(2, good, good),
		"five addresses":         one(5, good, ip("192.0.2.2", 1), ip("192.0.2.3", 1), ip("192.0.2.4", 1), ip("192.0.2.5", 1)),
		"port 0":                 one(1, ip("192.0.2.1", 0)),
		"unspecified":            one(1, ip("::", 1)),
		"multicast":              one(1, ip("224.0.0.1", 1)),
		"link-local":             one(1, ip("fe80::1", 1)),
		"keys that are not said": append(one(1, good)[:headSize+wire.DigestSize+1+addressSize], 2),
		"keys cut short":         append(one(1, good)[:headSize+wire.DigestSize+1+addressSize], 1, 7, 7),
		"too many peers":         encode(many)[:len(encode(many))-sha256.Size],
	} {
		if got, err := decode(sealed(text)); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, err := decode(sealed(one(1, good))); err != nil {
		t.Error("what the cases are made of:", err)
	}
}

func TestSizeIsBounded(t *testing.T) {
	all := make([]entry, maxPeers)
	for i := range all {
		all[i].peer = who(i + 1)
		for j := range maxAddresses {
			all[i].addresses = append(all[i].addresses, at(fmt.Sprintf("192.0.2.%d:4242", j+1)))
		}
		if i < maxKeys {
			all[i].keys = make([]byte, wire.KeysBodySize)
		}
	}
	if n := len(encode(all)); n != maxSize || n > 3<<20 {
		t.Errorf("%d bytes, the bound is %d", n, maxSize)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(encode(nil)[:len(encode(nil))-sha256.Size])
	f.Add(encode(some()[1:])[:len(encode(some()[1:]))-sha256.Size])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, text []byte) {
		decode(text)
		text = sealed(text)
		entries, err := decode(text)
		if err != nil {
			return
		}
		if again := encode(entries); !bytes.Equal(again, text) {
			t.Errorf("%x comes back as %x", text, again)
		}
	})
}
