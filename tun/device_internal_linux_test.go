package tun

import (
	"errors"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
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
	faults.Report(t, "I8", true, "refused writes are counted")
}
