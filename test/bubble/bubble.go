// Package bubble runs tests in virtual time, as testing/synctest does, and keeps
// the race detector from crashing there.
//
// In a bubble, a timer that is already due runs on the goroutine that asks for it
// (a select, Reset, AfterFunc(0)). Up to Go 1.26 at least, all of them use the one
// race context of the bubble (runtime/time.go, unlockAndRun), also when two
// processors do it at once: the detector's memory is then overwritten, and it dies
// of SIGSEGV now and then. So a bubble under the race detector has one processor.
// Races are still found: the detector goes by happens-before, not by chance.
//
// Only tests import this package.
package bubble

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// Test is synctest.Test. It must not run beside another test of its process.
func Test(t *testing.T, f func(*testing.T)) {
	t.Helper()
	if raced {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	synctest.Test(t, f)
}

// Times is how often a test repeats something: all, or few with -short, and under the
// race detector, for whose findings a few times do and which takes ten times as long.
// scripts/test runs such packages with and without it.
func Times(all, few int) int {
	if Raced() || testing.Short() {
		return few
	}
	return all
}

// Raced reports whether the race detector runs, whose memory is more than the
// program's: a test that measures memory skips then.
func Raced() bool { return raced }
