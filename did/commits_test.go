package did

import (
	"bytes"
	"testing"
)

// A key set commits to one ML-DSA-65 key: another, a longer and a shorter one are not it.
func TestKeySetCommitsToOneKey(t *testing.T) {
	id := testIdentity(t, 5)
	q := bytes.Clone(id.MLDSAKey())
	if !id.KeySet().CommitsTo(q) {
		t.Fatal("not to its own")
	}
	if id.KeySet().CommitsTo(append(q, 0)) || id.KeySet().CommitsTo(q[1:]) || id.KeySet().CommitsTo(nil) {
		t.Error("to a key of another length")
	}
	q[7] ^= 1
	if id.KeySet().CommitsTo(q) {
		t.Error("to an altered key")
	}
}
