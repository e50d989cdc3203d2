package wire

import (
	"math"
	"net/netip"
	"testing"
)

func TestEcho(t *testing.T) {
	for s, widest := range map[string]int{"192.0.2.7:4242": 1452, "[2001:db8::7]:65535": 0} {
		want := Echo{Nonce: 9, Seen: netip.MustParseAddrPort(s), Widest: widest}
		b := AppendEcho(nil, want)
		if got, ok := ParseEcho(b); !ok || got != want || len(b) != EchoSize {
			t.Errorf("%v became %v, %v", want, got, ok)
		}
		for n := range len(b) {
			if _, ok := ParseEcho(b[:n]); ok {
				t.Errorf("echo of %d bytes is taken", n)
			}
		}
	}
	if e, _ := ParseEcho(AppendEcho(nil, Echo{Widest: 65664})); e.Widest != math.MaxUint16 {
		t.Errorf("a record of 64 KiB is told as %d", e.Widest)
	}
}
