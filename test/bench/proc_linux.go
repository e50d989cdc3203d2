package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU time in /proc/PID/stat: USER_HZ, 1/100 s on every
// architecture that Go runs on.
const clockTick = 100

// cpuSeconds is user and system time of a process, all its threads.
func cpuSeconds(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name stands in brackets and may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("bench: /proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 64)
	system, err2 := strconv.ParseUint(fields[12], 10, 64)
	return float64(user+system) / clockTick, errors.Join(err1, err2)
}

// peakMiB is the most memory that a process has had resident.
func peakMiB(pid int) (float64, error) {
	kib, err := statusField(fmt.Sprintf("/proc/%d/status", pid), "VmHWM")
	return kib / 1024, err
}

// lookEvery is how close together two wake-ups of a process count as one: what
// one packet or timer sets off, the runtime's own naps of microseconds included.
const lookEvery = 10 * time.Millisecond

// A slumber counts how often a process wakes up: how many looks found that it had
// run since the one before.
type slumber struct {
	first, last float64 // switches of its threads
	woken       int
}

// look is to be called every lookEvery.
func (s *slumber) look(pid int) error {
	n, err := switches(pid)
	if err != nil {
		return err
	}
	switch {
	case s.last == 0:
		s.first = n
	case n != s.last:
		s.woken++
	}
	s.last = n
	return nil
}

// switches counts how often threads of a process have gone to sleep by
// themselves, those that have ended left out.
func switches(pid int) (sum float64, err error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		return 0, errors.Join(err, fmt.Errorf("bench: process %d has no threads", pid))
	}
	for _, t := range tasks {
		n, err := statusField(t, "voluntary_ctxt_switches")
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// statusField is a number of a status file, without its unit.
func statusField(file, name string) (float64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && key == name {
			return strconv.ParseFloat(strings.Fields(value)[0], 64)
		}
	}
	return 0, fmt.Errorf("bench: %s has no %s", file, name)
}
