package archtest

import (
	"fmt"
	"path"
	"slices"
	"testing"
	"testing/fstest"
)

// notIndependent returns a sentence for each import by which the second
// implementation of the handshake would lean on the product: only the tests in
// which the two meet may know the product, and nothing in it may use the
// product's libraries.
func notIndependent(all []source) (wrong []string) {
	for _, s := range all {
		if s.pkg != "test/second" {
			continue
		}
		meets := slices.Contains([]string{"interop_test.go", "meeting_interop_test.go", "joining_interop_test.go", "vectors_test.go", "fuzz_test.go"}, path.Base(s.path))
		for _, i := range s.internal() {
			if !meets {
				wrong = append(wrong, fmt.Sprintf("%s: the second implementation must not import %s", s.path, i))
			}
		}
		for _, i := range s.external() {
			if i != "github.com/zeebo/blake3" && i != "filippo.io/mldsa" && i != "golang.org/x/crypto/chacha20poly1305" {
				wrong = append(wrong, fmt.Sprintf("%s: the second implementation must not use %s", s.path, i))
			}
		}
	}
	return wrong
}

func TestSecondHandshakeIsIndependent(t *testing.T) {
	for _, w := range notIndependent(tree(t)) {
		t.Error(w)
	}
}

func TestDependenceIsNamed(t *testing.T) {
	file := func(imported string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package second\nimport _ \"" + imported + "\"\n")}
	}
	wrong := notIndependent(readTree(t, fstest.MapFS{
		"test/second/full_test.go":     file(module + "/handshake"),
		"test/second/interop_test.go":  file(module + "/handshake"),
		"test/second/schedule_test.go": file("lukechampine.com/blake3"),
		"test/second/hash_test.go":     file("github.com/zeebo/blake3"),
	}))
	want := []string{
		"test/second/full_test.go: the second implementation must not import handshake",
		"test/second/schedule_test.go: the second implementation must not use lukechampine.com/blake3",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("got  %q\nwant %q", wrong, want)
	}
}
