package tun

import (
	"errors"
	"testing"
)

// wireguard/tun joins the errors of a batch one by one.
func TestFailuresCountsRefusedWrites(t *testing.T) {
	e := errors.New("refused")
	for want, err := range map[int]error{
		1: e,
		2: errors.Join(errors.Join(nil, e), e),
		3: errors.Join(errors.Join(errors.Join(nil, e), e), e),
	} {
		if got := failures(err); got != want {
			t.Errorf("%d failures in %q, want %d", got, err, want)
		}
	}
}
