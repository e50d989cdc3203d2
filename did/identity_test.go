package did

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

func TestSignAndDH(t *testing.T) {
	a, b := testIdentity(t, 1), testIdentity(t, 2)
	sig := a.Sign([]byte("m"))
	if !a.KeySet().Verify([]byte("m"), sig) || a.KeySet().Verify([]byte("n"), sig) || b.KeySet().Verify([]byte("m"), sig) {
		t.Error("a signature verifies where it must not, or not where it must")
	}
	if a.KeySet().Verify([]byte("m"), sig[:63]) || a.KeySet().Verify([]byte("m"), nil) {
		t.Error("a short signature verifies")
	}
	ab, err1 := a.DH(b.KeySet().D[:])
	ba, err2 := b.DH(a.KeySet().D[:])
	if err1 != nil || err2 != nil || !bytes.Equal(ab, ba) {
		t.Errorf("DH: %v %v", err1, err2)
	}
	for _, bad := range [][]byte{nil, make([]byte, 31), make([]byte, 32)} {
		if _, err := a.DH(bad); err == nil {
			t.Errorf("DH accepts %x", bad)
		}
	}
}

func TestSecretsAreSeparate(t *testing.T) {
	a, b := testIdentity(t, 1), testIdentity(t, 2)
	if again := testIdentity(t, 1); a.Secret("x") != again.Secret("x") || a.Secret("x") == a.Secret("y") || a.Secret("x") == b.Secret("x") {
		t.Error("Secret is not one secret an identity and label")
	}
}

func TestSeedSize(t *testing.T) {
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := NewIdentity(make([]byte, n)); err == nil {
			t.Errorf("a seed of %d bytes is accepted", n)
		}
	}
}

// Whatever prints an Identity, alone or inside another value, shows no secret.
func TestIdentityPrintsOnlyItsDID(t *testing.T) {
	id := testIdentity(t, 9)
	type holder struct {
		Exported *Identity
		hidden   *Identity
		value    Identity
	}
	h := holder{id, id, *id}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", id, *id, h)
		if got := fmt.Sprintf(verb, id); got != id.DID().String() {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "id", id, "h", h)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "id", *id, "h", h)
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	for name, secret := range map[string][]byte{
		"Ed25519": id.secrets().sign.Seed(), "X25519": derive(wire.ContextX25519, bytes.Repeat([]byte{9}, SeedSize), 32), "local": id.secrets().local[:],
	} {
		for _, form := range []string{hex.EncodeToString(secret[:4]), strings.Trim(fmt.Sprint(secret[:4]), "[]")} {
			if strings.Contains(out.String(), form) {
				t.Errorf("the %s secret is printed", name)
			}
		}
	}
}
