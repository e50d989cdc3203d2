package main

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

func TestFlowMeasuresWhatArrives(t *testing.T) {
	var seconds int
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	start := time.Now()
	bits, err := flow(t.Context(), lab.Loopback{}, lab.Loopback{}, loopback, 1200*time.Millisecond, func(bits float64) {
		seconds++
		if bits < 1e6 {
			t.Errorf("a second of %s", rate(bits))
		}
	})
	if err != nil || bits < 1e6 || seconds != 1 || time.Since(start) < 1200*time.Millisecond {
		t.Errorf("%s, told of %d seconds, %v", rate(bits), seconds, err)
	}
}

func TestFlowEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := flow(ctx, lab.Loopback{}, lab.Loopback{}, netip.AddrFrom4([4]byte{127, 0, 0, 1}), time.Minute, func(float64) {})
	if err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestFlowFailsWhereNobodyIs(t *testing.T) {
	_, err := flow(t.Context(), lab.Loopback{}, lab.Loopback{}, netip.MustParseAddr("192.0.2.1"), time.Second, func(float64) {})
	if err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
