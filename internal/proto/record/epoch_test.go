package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// SPEC R-4-1.
func TestNewRefusesKeysThatNoHandshakeMakes(t *testing.T) {
	for name, spoil := range map[string]func(*Keys){
		"no number": func(k *Keys) { k.Number = 0 },
		"no cipher": func(k *Keys) { k.Cipher = 0 },
		"send id":   func(k *Keys) { k.SendID[0] = 1 },
		"recv id":   func(k *Keys) { k.RecvID[0] = 1 },
		"one key":   func(k *Keys) { k.Recv = k.Send },
	} {
		k := testKeys(wire.AES256GCM)
		spoil(&k)
		if e, err := New(k); !errors.Is(err, ErrKeys) || e != nil {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

func TestEpochSaysWhatItIs(t *testing.T) {
	k := testKeys(wire.ChaCha20Poly1305)
	e := newEpoch(t, k)
	if e.Number() != k.Number || e.RecvID() != k.RecvID || e.Cipher() != k.Cipher || e.String() != "epoch 3" {
		t.Errorf("%v %v %v", e, e.RecvID(), e.Cipher())
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	k := testKeys(wire.AES256GCM)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "keys", k, "in", struct{ K Keys }{k}, "epoch", newEpoch(t, k))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "keys", &k, "in", struct{ K Keys }{k})
	js, err := json.Marshal(map[string]any{"keys": k, "more": []*Keys{&k}})
	if err != nil {
		t.Fatal(err)
	}
	out := log.String() + string(js)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		out += fmt.Sprintf(verb+verb+verb, k, &k, struct{ K Keys }{k}) + fmt.Sprintf("%+v", newEpoch(t, k))
	}
	for _, secret := range []string{hex.EncodeToString(k.Send[:4]), "161 161", "161,161", "0xa1, 0xa1", string(k.Send[:4]), "178 178", "178,178"} {
		if strings.Contains(strings.ToLower(out), secret) {
			t.Errorf("%q in %s", secret, out)
		}
	}
}
