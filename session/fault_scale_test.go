//go:build faults

package session_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
)

// M1: a node with a thousand peers on loopback; the peers are in this process too,
// so a session's memory is half of what two ends take, and the node's idle time is
// a part of what everything takes.
func TestFaultThousandPeers(t *testing.T) {
	const peers = 1000
	m := newMeeting(t, peers, link.KindDirect, session.Settings{})
	defer m.close()
	time.Sleep(time.Second)
	before, stacks := heapAndStacks()
	start := time.Now()
	m.establish(8)
	took := time.Since(start)
	time.Sleep(15 * time.Second) // direct is proven, handshakes are over
	heap, stacksNow := heapAndStacks()
	each, stack := float64(heap-before)/peers/2/1024, float64(stacksNow-stacks)/peers/2/1024
	began, cpu := time.Now(), cpuTime()
	time.Sleep(20 * time.Second)
	idle := 100 * (cpuTime() - cpu).Seconds() / time.Since(began).Seconds()
	faults.Report(t, "M1", each <= 64 && idle/2 <= 2, "%d sessions in %v; %.1f KiB of heap each, QUIC connection included, and %.1f KiB of stacks; all 1001 nodes idle together %.2f %% of a processor, the one with 1000 peers about half of that",
		peers, took.Round(100*time.Millisecond), each, stack, idle)
}

// heapAndStacks are the live bytes of this process.
func heapAndStacks() (heap, stacks uint64) {
	used()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.StackInuse
}
