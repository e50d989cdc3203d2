package control

import (
	"context"
	"errors"
	"testing"
)

// A program that acknowledges and ends in one breath has taken the message;
// one that only ends has not.
func TestAnAcknowledgementCountsAlthoughTheProgramHasGone(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errGone)
	o := &handover{acks: make(chan uint64, 1), ctx: ctx, cancel: cancel}
	for range 100 { // select is fair: without a preference half of these would fail
		o.acks <- 7
		if n, err := o.acknowledged(); n != 7 || err != nil {
			t.Fatal(n, err)
		}
	}
	if _, err := o.acknowledged(); !errors.Is(err, errGone) {
		t.Error(err)
	}
}
