package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

func TestMemoryIsLimitedByTheControlGroup(t *testing.T) {
	root := t.TempDir()
	for file, text := range map[string]string{"a/memory.max": "1073741824\n", "a/b/memory.max": "max\n", "a/b/c/memory.max": "268435456\n"} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for own, want := range map[string]int64{
		"":                            0,
		"4:memory:/a\n":               0, // version 1
		"0::/\n":                      0,
		"0::/elsewhere\n":             0,
		"0::/a/b\n":                   1 << 30,
		"1:name=systemd:/\n0::/a/b/c": 256 << 20,
		"0::/a/b/c/d\n":               256 << 20,
	} {
		if got := groupMemory(root, own); got != want {
			t.Errorf("%q: %d, want %d", own, got, want)
		}
	}
	if got := softLimit(256 << 20); got != 192<<20 {
		t.Errorf("of 256 MiB: %d", got)
	}
}

func TestANodeHasASoftMemoryLimit(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	t.Setenv("GOMEMLIMIT", "1TiB")
	limitMemory()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("%d although GOMEMLIMIT is set", got)
	}
	t.Setenv("GOMEMLIMIT", "")
	limitMemory()
	got := debug.SetMemoryLimit(-1)
	if got == math.MaxInt64 || got < 1<<20 {
		t.Errorf("%d", got)
	}
	faults.Report(t, "S27", true, "a soft limit of %d MiB here", got>>20)
}

// The unit bounds what the table of spec/behaviour.md 6.5 computes, and so does the program.
func TestTheUnitBoundsMemoryAndTasks(t *testing.T) {
	unit, err := os.ReadFile("../../packaging/systemd/l2tun@.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"MemoryMax=1G", "TasksMax=256", "User=l2tun"} {
		if !strings.Contains(string(unit), "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	const own, strangers, peer = 40, 95, 49 // MiB
	if need := int64(own+strangers+16*peer) << 20; need > usualMemory {
		t.Errorf("16 peers at their worst need %d MiB", need>>20)
	}
}
