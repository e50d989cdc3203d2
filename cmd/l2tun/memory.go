package main

import (
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// usualMemory is what a node may have where nobody says: all strangers at their
// worst, 16 peers at theirs, and the program (spec/behaviour.md 6.5). The unit has it as MemoryMax.
const usualMemory = 1 << 30

// limitMemory has garbage collected before the process has three quarters of what
// its control group may have, or of what is usual: the rest is for what is not
// Go's, and for what is freed late. It is soft: a node that holds more in earnest
// works on. GOMEMLIMIT in the environment says otherwise.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	own, _ := os.ReadFile("/proc/self/cgroup")
	debug.SetMemoryLimit(softLimit(groupMemory("/sys/fs/cgroup", string(own))))
}

func softLimit(group int64) int64 {
	if group == 0 {
		group = usualMemory
	}
	return group / 4 * 3
}

// groupMemory is the least memory.max of the control group (version 2) that own, of
// /proc/self/cgroup, names and of those above it; 0 if there is none.
func groupMemory(root, own string) int64 {
	group, found := "", false
	for line := range strings.Lines(own) {
		if name, ok := strings.CutPrefix(line, "0::"); ok {
			group, found = path.Clean("/"+strings.TrimSpace(name)), true
		}
	}
	least := int64(math.MaxInt64)
	for found {
		text, err := os.ReadFile(filepath.Join(root, group, "memory.max"))
		if n, bad := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil && n > 0 {
			least = min(least, n)
		}
		if group == "/" {
			break
		}
		group = path.Dir(group)
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
