package quicnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/libertaria-project/l2tun/internal/net/udp"
)

const (
	// maxQUICPacket is the largest packet that QUIC is used with here, in bytes.
	maxQUICPacket = udp.FullPacket
	// queueSlots is how many packets wait for quic-go: 10 ms at 100,000 a second.
	queueSlots = 1024
	// maxSources bounds the cache of address objects.
	maxSources = 4096
)

// A packetQueue holds copies of packets until quic-go fetches them. Deadlines and
// Close of quic-go act on it, never on the socket, or its end would stop the
// data path as well.
type packetQueue struct {
	count *Counters

	mu          sync.Mutex
	ready       sync.Cond
	slots       []*packetSlot // ring; nil: no packet has waited there yet
	head, n     int
	interrupted bool // the read deadline has passed
	closed      bool
	timer       *time.Timer // of a deadline that lies ahead

	// sources belongs to the one goroutine that pops. The objects are never
	// changed, so quic-go may keep them.
	sources map[netip.AddrPort]*net.UDPAddr
}

type packetSlot struct {
	data  [maxQUICPacket]byte
	oob   [udp.OOBSize]byte
	n, nn int
	src   netip.AddrPort
}

func newPacketQueue(c *Counters, slots int) *packetQueue {
	q := &packetQueue{count: c, slots: make([]*packetSlot, slots), sources: make(map[netip.AddrPort]*net.UDPAddr)}
	q.ready.L = &q.mu
	return q
}

// push copies packets in; what does not fit is dropped, the newest first, and
// counted.
func (q *packetQueue) push(pkts []udp.Packet) {
	q.mu.Lock()
	for i := range pkts {
		q.put(&pkts[i])
	}
	q.mu.Unlock()
	q.ready.Signal()
}

func (q *packetQueue) put(p *udp.Packet) {
	switch {
	case len(p.Data) > maxQUICPacket || len(p.OOB) > udp.OOBSize:
		q.count.Malformed.Add(1)
		return
	case q.n == len(q.slots):
		q.count.Overflow.Add(1)
		return
	}
	at := (q.head + q.n) % len(q.slots)
	if q.slots[at] == nil { // once: it stays
		q.slots[at] = new(packetSlot)
	}
	s := q.slots[at]
	s.n, s.nn, s.src = copy(s.data[:], p.Data), copy(s.oob[:], p.OOB), p.Src
	q.n++
}

// pass orders what its caller did before everything that is pushed later.
func (q *packetQueue) pass() {
	q.mu.Lock()
	defer q.mu.Unlock()
}

// pop blocks until it can fill at least one message, the deadline passes, or
// the queue is closed. An error comes without messages.
func (q *packetQueue) pop(ms []ipv4.Message) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.wait(); err != nil {
		return 0, err
	}
	n := min(q.n, len(ms))
	for i := range ms[:n] {
		s := q.slots[q.head]
		ms[i].N = copy(ms[i].Buffers[0], s.data[:s.n])
		ms[i].NN = copy(ms[i].OOB, s.oob[:s.nn])
		ms[i].Flags = 0
		ms[i].Addr = q.address(s.src)
		q.head = (q.head + 1) % len(q.slots)
		q.n--
	}
	if q.n == 0 {
		q.head = 0 // the same memory again, not all of the ring in turn
	}
	return n, nil
}

// await blocks until pop would not.
func (q *packetQueue) await() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.wait()
}

// wait blocks for a packet; q.mu is held.
func (q *packetQueue) wait() error {
	for {
		switch {
		case q.closed:
			return net.ErrClosed
		case q.interrupted:
			return os.ErrDeadlineExceeded
		case q.n > 0:
			return nil
		}
		q.ready.Wait()
	}
}

// address returns one object a source, so that a packet costs no allocation.
func (q *packetQueue) address(src netip.AddrPort) *net.UDPAddr {
	a, ok := q.sources[src]
	if !ok {
		if len(q.sources) >= maxSources {
			clear(q.sources)
		}
		a = net.UDPAddrFromAddrPort(src)
		q.sources[src] = a
	}
	return a
}

// setDeadline interrupts pop at t; the zero time takes it back.
func (q *packetQueue) setDeadline(t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	d := time.Until(t)
	q.interrupted = !t.IsZero() && d <= 0
	if d > 0 {
		q.startTimer(d)
	}
	q.ready.Broadcast()
}

func (q *packetQueue) startTimer(d time.Duration) {
	var self *time.Timer
	self = time.AfterFunc(d, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.timer == self {
			q.interrupted = true
			q.ready.Broadcast()
		}
	})
	q.timer = self
}

func (q *packetQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	q.ready.Broadcast()
}
