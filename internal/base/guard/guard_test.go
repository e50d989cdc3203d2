package guard

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

type secret [32]byte

func fails(s secret, packet []byte, i int) byte { return packet[i] + s[0] }

// A panic is logged once for its place, with functions and lines, and with nothing
// of what was received; the next one costs no line.
func TestAPlaceIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	g := New(slog.New(slog.NewTextHandler(&log, nil)))
	for range 100 {
		if g.Do("test", func() { fails(secret{0xde, 0xad}, []byte("hunter2"), 9) }) {
			t.Fatal("it came to its end")
		}
	}
	text := log.String()
	if strings.Count(text, "\n") != 1 || !strings.Contains(text, "in=test") || !strings.Contains(text, "index out of range [9] with length 7") ||
		!strings.Contains(text, "guard.fails:") || !strings.Contains(text, "guard.TestAPlaceIsLoggedOnce") {
		t.Error(text)
	}
	for _, s := range []string{"hunter2", "dead", "0x"} {
		if strings.Contains(text, s) {
			t.Errorf("%q is in the log: %s", s, text)
		}
	}
}

func TestWhatAPanicSaysIsBounded(t *testing.T) {
	for v, want := range map[any]string{"session: internal error: x": "session: internal error: x", errors.New("bytes of a packet"): "a *errors.errorString"} {
		if got := text(v); got != want {
			t.Errorf("%v: %q", v, got)
		}
	}
	if n := len(text(strings.Repeat("x", 10_000))); n != maxText {
		t.Error(n)
	}
	var none *Guard
	if none.Do("test", func() { panic("x") }) || !none.Do("test", func() {}) {
		t.Error("the nil guard")
	}
}
