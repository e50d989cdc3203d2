package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memory is what of a process lies in memory, in KiB. Anonymous memory is what it
// has written itself; the rest are pages of its program file, which the kernel
// shares and takes back as it likes.
type memory struct{ resident, anonymous, high int }

// memory reads a node's; high is the most that was resident since the watch
// began.
func (n *node) memory() (m memory, err error) {
	text, err := os.ReadFile(n.proc("status"))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		if err != nil {
			continue
		}
		switch name {
		case "VmRSS":
			m.resident = kib
		case "RssAnon":
			m.anonymous = kib
		case "VmHWM":
			m.high = kib
		}
	}
	if m.resident == 0 {
		return m, fmt.Errorf("no VmRSS of %s", n.Interface)
	}
	return m, nil
}

// proc is a file of the node's process.
func (n *node) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(n.Cmd.Process.Pid), name)
}

// A watch follows the memory of a process through a flood.
type watch struct {
	n      *node
	before memory
	most   memory // of each by itself
	stop   chan struct{}
	ended  sync.WaitGroup
}

// watchMemory begins with the kernel's high-water mark set back to what is
// resident now, so that no peak between two looks is missed; anonymous memory has
// no such mark and is looked at 20 times a second.
func (n *node) watchMemory() *watch {
	n.w.Helper()
	const setBackTheMark = "5" // proc(5), clear_refs
	n.w.ok(os.WriteFile(n.proc("clear_refs"), []byte(setBackTheMark), 0))
	m := &watch{n: n, stop: make(chan struct{})}
	var err error
	m.before, err = n.memory()
	n.w.ok(err)
	m.most = m.before
	m.ended.Go(m.follow)
	return m
}

func (m *watch) follow() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-tick.C:
			m.look()
		}
	}
}

func (m *watch) look() {
	if now, err := m.n.memory(); err == nil { // else it has ended, and its test sees that
		m.most = memory{max(m.most.resident, now.resident), max(m.most.anonymous, now.anonymous), max(m.most.high, now.high)}
	}
}

// grown ends the watch and returns by how many MiB memory was above its
// beginning at most, and its peak.
func (m *watch) grown() (grown, peak float64) {
	close(m.stop)
	m.ended.Wait()
	m.look()
	return mebi(m.most.high - m.before.resident), mebi(m.most.high)
}

// String is the same, after grown, and how much of it is anonymous.
func (m *watch) String() string {
	return fmt.Sprintf("memory %+.1f MiB at most (%+.1f of it anonymous), peak %.1f MiB",
		mebi(m.most.high-m.before.resident), mebi(m.most.anonymous-m.before.anonymous), mebi(m.most.high))
}

func mebi(kib int) float64 { return float64(kib) / 1024 }
