package faults

import (
	"runtime"
	"testing"
	"time"
)

func TestHeapTellsGarbageFromWhatStays(t *testing.T) {
	const mib = 1 << 20
	h := WatchHeap()
	kept, gone := touched(8*mib), touched(32*mib)
	time.Sleep(50 * time.Millisecond)
	runtime.KeepAlive(gone)
	gone = nil
	h.End()
	runtime.KeepAlive(kept)
	if h.Live < 7*mib || h.Live > 16*mib || h.Peak < 39*mib || h.Peak > 64*mib {
		t.Errorf("8 MiB kept and 32 MiB not: %v", h)
	}
	if h.resident > 0 && h.Resident < 38*mib {
		t.Errorf("40 MiB were used: %v", h)
	}
}

func touched(size int) []byte {
	b := make([]byte, size)
	for i := 0; i < size; i += 1 << 10 {
		b[i] = 1
	}
	return b
}
