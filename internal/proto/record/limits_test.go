package record

import (
	"errors"
	"math"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/faults"
)

// SPEC "Limits".
func TestLimitsOfCiphers(t *testing.T) {
	const never = uint64(math.MaxUint64)
	gcm := limits{128 << 30, 512 << 30, 1 << 48, 1 << 60, 1 << 35, 1 << 36, 1 << 56}
	if got := limitsOf(wire.AES256GCM); got != gcm {
		t.Errorf("AES-256-GCM: %+v", got)
	}
	chacha := limits{never, never, 1 << 48, 1 << 60, 1 << 35, 1 << 36, 1 << 56}
	if got := limitsOf(wire.ChaCha20Poly1305); got != chacha {
		t.Errorf("ChaCha20-Poly1305: %+v", got)
	}
}

// wantLimit seals two records of ten bytes (84 in all) and expects the refusal
// to be complete and final.
func wantLimit(t *testing.T, e *Epoch) {
	t.Helper()
	for _, n := range []int{2, 1} {
		var b wire.Batch
		if err := e.Seal(&b, wire.SpaceDirect, plainsOf(n, 10)); !errors.Is(err, ErrLimit) {
			t.Errorf("Seal past the limit: %v", err)
		}
		if b.Len() != 0 || len(b.Buf) != 0 {
			t.Error("a refused Seal has appended")
		}
	}
	if !e.Spent() || !e.Due() {
		t.Errorf("spent %v, due %v", e.Spent(), e.Due())
	}
}

// SPEC R-4-6, R-4-7.
func TestByteLimits(t *testing.T) {
	e := newEpoch(t, testKeys(wire.AES256GCM))
	e.limits.softBytes, e.limits.hardBytes = 84, 3*42
	sealOne(t, e, wire.SpaceDirect, make([]byte, 10))
	if e.Due() {
		t.Error("due before the soft limit")
	}
	sealOne(t, e, wire.SpaceUTCP, make([]byte, 10))
	if !e.Due() || e.Spent() {
		t.Errorf("at the soft limit: due %v, spent %v", e.Due(), e.Spent())
	}
	wantLimit(t, e) // one would fit, two do not, and then none does
	faults.Report(t, "R10", true, "bytes: the same")
}

func TestRecordLimits(t *testing.T) {
	e := newEpoch(t, testKeys(wire.ChaCha20Poly1305))
	e.limits.softRecords, e.limits.hardRecords = 2, 3
	for i := range 3 {
		if e.Due() != (i >= 2) {
			t.Errorf("after %d records: due %v", i, e.Due())
		}
		sealOne(t, e, wire.Space(i), nil)
	}
	wantLimit(t, e)
	faults.Report(t, "R10", true, "records: rotation due at the soft limit, refusal at the hard one")
}

// R10 in miniature: the counter stops at its last number and never wraps.
func TestCounterNeverWraps(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	skipTo(a, wire.SpaceDirect, wire.MaxCounter)
	rec := sealOne(t, a, wire.SpaceDirect, []byte{0x45})
	if _, counter, _, _ := wire.ParseHeader(rec); counter != wire.MaxCounter {
		t.Errorf("last number is %d", counter)
	}
	if _, v := b.OpenTo(make([]byte, 0, 10), rec); v != Opened {
		t.Errorf("last record: verdict %d", v)
	}
	wantLimit(t, a)
	faults.Report(t, "R10", true, "the last number is 2^56-1, then every seal is refused")
}

func TestFailedOpensAreLimited(t *testing.T) {
	a, b := pair(t, wire.AES256GCM)
	b.limits.softForged, b.limits.hardForged = 1, 2
	good, bad := sealOne(t, a, wire.SpaceDirect, []byte{0x45}), sealOne(t, a, wire.SpaceDirect, []byte{0x45})
	bad[len(bad)-1] ^= 1
	for i := range 2 {
		if b.Due() != (i >= 1) || b.Spent() {
			t.Errorf("after %d failures: due %v, spent %v", i, b.Due(), b.Spent())
		}
		if _, v := b.OpenTo(make([]byte, 0, 10), bad); v != Forged {
			t.Errorf("verdict %d", v)
		}
	}
	if _, v := b.OpenTo(make([]byte, 0, 10), good); v != Forged {
		t.Errorf("past the limit: verdict %d", v)
	}
	wantLimit(t, b)
}
