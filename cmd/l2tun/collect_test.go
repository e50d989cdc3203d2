package main

import (
	"runtime/debug"
	"testing"
)

func TestTheEnvironmentDecidesHowOftenGarbageIsCollected(t *testing.T) {
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	t.Setenv("GOGC", "77")
	collectEarly()
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("%d although GOGC is set", got)
	}
	t.Setenv("GOGC", "")
	collectEarly()
	if got := debug.SetGCPercent(100); got != collectPercent {
		t.Errorf("%d", got)
	}
}
