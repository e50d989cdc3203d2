package main

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// dumpable is 1 for a process as it starts, 0 once it is hidden.
func dumpable(t *testing.T) int {
	t.Helper()
	n, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestANodesMemoryIsHiddenBeforeItsKeyIsRead(t *testing.T) {
	before := dumpable(t)
	defer unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(before), 0, 0, 0)
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	path := initConfig(t)
	if dumpable(t) != 1 {
		t.Error("init hides memory, so this test shows nothing")
	}
	seen := -1
	_, code := up(t, func(context.Context, nodeOptions) error { seen = dumpable(t); return nil }, "--config", path)
	if code != 0 || seen != 0 {
		t.Errorf("exit %d, dumpable is %d while the node runs", code, seen)
	}
	unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
	os.Remove(path)
	if _, code := up(t, nil, "--config", path); code != exitUsage || dumpable(t) != 0 {
		t.Error("the config was read first")
	}
}
