package did

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzKeyFile: a key file is what the writer writes, with or without its last
// newline, and every error is a fixed text.
func FuzzKeyFile(f *testing.F) {
	good := string(encodeKey(bytes.Repeat([]byte{7}, SeedSize)))
	for _, s := range []string{good, strings.TrimSuffix(good, "\n"), good + "\n", strings.ToUpper(good), keyFileTag + " ", "",
		strings.Replace(good, "Bw", "Bx", 1), strings.Replace(good, "=\n", "\n", 1), "\ufeff" + good, good + good} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		seed, err := decodeKey(text)
		if err != nil {
			if seed != nil || err != errEmptyKey && err != errKeyTag && err != errKeyBase64 {
				t.Fatalf("%q: %v, and %d bytes", text, err, len(seed))
			}
			return
		}
		if back := string(encodeKey(seed)); len(seed) != SeedSize || text != back && text+"\n" != back {
			t.Fatalf("%q is read as a seed of %d bytes that is written otherwise", text, len(seed))
		}
	})
}

// FuzzKeySet: a key set that is taken comes back as the same bytes, and nobody
// who encapsulates to it or agrees with it panics.
func FuzzKeySet(f *testing.F) {
	id := testIdentity(f, 5)
	good := id.KeySet().Append(nil)
	f.Add(good)
	for _, at := range []int{0, 31, 40, 63, 64, 65, 1247, 1279} {
		b := bytes.Clone(good)
		b[at] ^= 0x80
		f.Add(b)
	}
	f.Add(make([]byte, KeySetSize))
	f.Add(good[1:])
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeySet(b)
		if err != nil {
			return
		}
		if !bytes.Equal(k.Append(nil), b) || k.DID().IsZero() {
			t.Fatalf("%x is read as another key set", b)
		}
		if ct, ss := k.Encapsulate(new([32]byte)); len(ct) != 1088 || len(ss) != 32 {
			t.Fatalf("a ciphertext of %d and a secret of %d bytes", len(ct), len(ss))
		}
		if _, err := id.DH(k.D[:]); err != nil {
			t.Fatalf("a key that was taken is of low order: %v", err)
		}
		k.Verify([]byte("x"), make([]byte, 64))
	})
}
