package quicnet

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/net/udp"
)

// Bounds of a batcher.
const (
	maxRunsBytes = 256 << 10 // waiting altogether; then quic-go waits
)

// A batcher puts packets of equal size to one destination into one system call.
// quic-go does so only for packets that are full to the last byte, which those
// with datagrams never are, and a call a packet was a third of all the time a
// record took. Packets wait only while the call before them runs.
//
// One goroutine sends. Packets to one destination keep their order.
type batcher struct {
	sock    udp.Conn
	segment bool // the kernel cuts runs
	count   *Counters

	mu     sync.Mutex
	more   sync.Cond // for the sender: something waits, or the end
	room   sync.Cond // for writers: less than maxRunsBytes wait
	runs   []*run    // waiting, oldest first
	spare  []*run
	oob    []byte // scratch
	bytes  int
	closed bool
	done   chan struct{} // the sender has ended
}

// A run is packets of one size, of which the last may be shorter.
type run struct {
	to     netip.AddrPort
	oob    []byte // control messages of each packet, without a segment size
	buf    []byte
	size   int
	n      int  // packets
	closed bool // its last packet is shorter
}

func newBatcher(sock udp.Conn, segment bool, count *Counters) *batcher {
	b := &batcher{sock: sock, segment: segment, count: count, done: make(chan struct{})}
	b.more.L, b.room.L = &b.mu, &b.mu
	go b.loop() // ends with close, which waits for it
	return b
}

// write copies packets, taking apart what quic-go has put together. It waits
// while too much is queued. It reports false for packets that must not be put
// together.
func (b *batcher) write(pkts, oob []byte, to netip.AddrPort) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	rest, size := udp.CutSegmentSize(b.oob[:0], oob)
	b.oob = rest
	if size == 0 {
		return false
	}
	for b.bytes > maxRunsBytes && !b.closed {
		b.room.Wait()
	}
	for p := range slices.Chunk(pkts, size) {
		r := b.open(to, b.oob, len(p))
		r.buf = append(r.buf, p...)
		r.n++
		r.closed = len(p) < r.size
	}
	b.bytes += len(pkts)
	b.more.Signal()
	return true
}

// open is the run that takes a packet: the last one to its destination, if the
// packet fits there.
func (b *batcher) open(to netip.AddrPort, oob []byte, size int) *run {
	for i := len(b.runs) - 1; i >= 0; i-- {
		r := b.runs[i]
		if r.to != to {
			continue
		}
		if r.closed || size > r.size || r.n == udp.MaxRunPackets || len(r.buf)+size > udp.MaxRunBytes || !bytes.Equal(r.oob, oob) {
			break
		}
		return r
	}
	r := new(run)
	if n := len(b.spare); n > 0 {
		r, b.spare = b.spare[n-1], b.spare[:n-1]
	}
	*r = run{to: to, oob: append(r.oob[:0], oob...), buf: r.buf[:0], size: size}
	b.runs = append(b.runs, r)
	return r
}

// loop sends all that waits, again and again.
func (b *batcher) loop() {
	defer close(b.done)
	var work []*run
	for {
		b.mu.Lock()
		b.spare = append(b.spare, work...)
		for len(b.runs) == 0 && !b.closed {
			b.more.Wait()
		}
		work, b.runs = append(work[:0], b.runs...), b.runs[:0]
		b.bytes = 0
		b.room.Broadcast()
		b.mu.Unlock()
		if len(work) == 0 {
			return
		}
		for _, r := range work {
			b.send(r)
		}
	}
}

// send makes one call for a run, or one for each packet where the interface
// cannot segment. What fails is lost, like any packet, and counted.
func (b *batcher) send(r *run) {
	if r.n > 1 && b.segment {
		_, _, err := b.sock.WriteMsgUDPAddrPort(r.buf, udp.AppendSegmentSize(r.oob, r.size), r.to)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EIO) {
			b.count.SendErrors.Add(uint64(r.n))
			return
		}
	}
	for p := range slices.Chunk(r.buf, r.size) {
		if _, _, err := b.sock.WriteMsgUDPAddrPort(p, r.oob, r.to); err != nil {
			b.count.SendErrors.Add(1)
		}
	}
}

// close sends what waits and ends the sender.
func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.more.Signal()
	b.room.Broadcast()
	b.mu.Unlock()
	<-b.done
}
