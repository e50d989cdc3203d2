package faults

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"time"
)

// A Heap follows the memory of a test's process through a flood: both ends of what
// is tested, and the test itself. For a node that runs as a program its own
// resident memory says more.
type Heap struct {
	before   int64
	resident int64 // 0: the system does not say
	stop     chan struct{}
	ended    sync.WaitGroup

	// What End has found, in bytes above the beginning.
	Live     int64 // heap afterwards, after a collection
	Peak     int64 // most heap at any time, garbage included, as no collection is forced
	Resident int64 // most memory of the whole process, by the kernel's mark; 0 if it has none
}

// WatchHeap begins with a collection that gives all free memory back. Its goroutine
// ends with End. A test with virtual time calls it outside the bubble.
func WatchHeap() *Heap {
	debug.FreeOSMemory()
	h := &Heap{before: heapObjects(), stop: make(chan struct{})}
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) == nil { // sets the mark back
		h.resident = highWater()
	}
	h.ended.Go(h.follow)
	return h
}

func (h *Heap) follow() {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		h.Peak = max(h.Peak, heapObjects()-h.before)
		select {
		case <-h.stop:
			return
		case <-tick.C:
		}
	}
}

// End ends the watch, once.
func (h *Heap) End() {
	close(h.stop)
	h.ended.Wait()
	h.Peak = max(h.Peak, heapObjects()-h.before)
	if h.resident > 0 {
		h.Resident = highWater() - h.resident
	}
	debug.FreeOSMemory()
	h.Live = heapObjects() - h.before
}

// String is what End has found.
func (h *Heap) String() string {
	const mib = 1 << 20
	s := fmt.Sprintf("the test's process: live heap %+.1f MiB, peak %+.1f MiB with its garbage", float64(h.Live)/mib, float64(h.Peak)/mib)
	if h.resident > 0 {
		s += fmt.Sprintf(", resident memory %+.1f MiB at most", float64(h.Resident)/mib)
	}
	return s
}

// heapObjects is what lies in the heap, in bytes, without a collection.
func heapObjects() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// highWater is the most memory that was resident since the mark was set back.
func highWater() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		kib := int64(0)
		if n, _ := fmt.Sscanf(strings.TrimSpace(sc.Text()), "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}
