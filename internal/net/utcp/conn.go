package utcp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/net/queue"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Conn is one TCP connection: streams, and a path for records.
//
// One goroutine reads. Writing is done without waiting by whoever has something to
// write; when the socket is full, one goroutine waits for it and goes on. Both end
// with the connection, at most a second after Close.
//
// It is not known by itself who the peer is. An accepted connection is a stranger's
// until Proven is called: it buffers little, counts against the limits of its
// source, and is told nothing before somebody above has written to it. A dialled one
// keeps to one stream until then, or until that stream is closed here: a stranger's
// records and second stream would be in the way of the handshake's last message (SPEC
// section 3.6).
type Conn struct {
	nc      *net.TCPConn
	rc      syscall.RawConn
	local   netip.AddrPort
	remote  netip.AddrPort
	dialled bool
	count   *Counters
	protect func(where string, f func()) bool
	path    path
	wake    chan struct{}                  // for the writer: the socket is full
	vector  *vector                        // of Send; under mu
	write   func(fd uintptr)               // bound once, or each write would allocate it
	hello   func(*Conn) error              // takes an accepted connection whose first message begins
	learn   func(netip.Addr)               // told where a peer has proven itself
	connect func(netip.Addr) (gone func()) // and that an accepted connection is a peer's
	done    chan struct{}

	mu      sync.Mutex
	out     sendQueue
	stalled bool       // the writer waits for the socket
	changed *sync.Cond // on mu: streams came or went, the connection has been proven or has ended
	err     error      // why it has ended
	broken  error      // what writing has failed with
	proven  bool
	spoken  bool   // the peer may be told something
	release func() // gives back the place among strangers, or that of a peer; nil: given back
	streams streams
}

var _ link.Prover = (*Conn)(nil)

// newConn makes a connection of ours; release and hello are an accepted one's.
func newConn(nc *net.TCPConn, dialled bool, count *Counters, protect func(string, func()) bool, learn func(netip.Addr)) (*Conn, error) {
	rc, err := nc.SyscallConn()
	if err != nil {
		return nil, err
	}
	c := &Conn{nc: nc, rc: rc, local: netaddr.PortOf(nc.LocalAddr()), remote: netaddr.PortOf(nc.RemoteAddr()), dialled: dialled, count: count, protect: protect, learn: learn,
		wake: make(chan struct{}, 1), done: make(chan struct{}), vector: newVector(), proven: dialled, spoken: dialled}
	c.changed = sync.NewCond(&c.mu)
	c.write = func(fd uintptr) { c.writeNow(fd) }
	c.path.c = c
	c.streams.init(dialled)
	if dialled {
		c.out.hold = true
		c.out.control = append(c.out.control, newPreface()...) // leaves with the first stream
	}
	return c, nil
}

func (c *Conn) Link() wire.Link                      { return wire.LinkUTCP }
func (c *Conn) Binding() (kind byte, value [32]byte) { return 0, [32]byte{} }
func (c *Conn) Local() netip.AddrPort                { return c.local }
func (c *Conn) Remote() netip.AddrPort               { return c.remote }
func (c *Conn) Path() link.Path                      { return &c.path }
func (c *Conn) Done() <-chan struct{}                { return c.done }

// Err is nil until Done is closed, then one of cause.ErrClosed, cause.ErrPeerClosed, cause.ErrReset,
// cause.ErrIdle and cause.ErrProtocol, wrapped with the reason, or another failure of TCP.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Proven implements link.Prover.
func (c *Conn) Proven() {
	c.learn(c.remote.Addr())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.letGo()
	if c.proven {
		return
	}
	c.proven, c.spoken = true, true
	c.leave()
	if c.err == nil && c.connect != nil {
		c.release = c.connect(c.remote.Addr())
	}
	c.changed.Broadcast()
}

// letGo lets records and further streams leave; c.mu is held.
func (c *Conn) letGo() {
	if !c.out.hold || c.err != nil {
		return
	}
	c.out.hold = false
	c.flush()
	c.changed.Broadcast()
}

// begun ends the time in which the connection must begin.
func (c *Conn) begun() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		_ = c.nc.SetReadDeadline(time.Time{})
	}
}

// setRelease says how the place among strangers is given back. It may have been
// taken already.
func (c *Conn) setRelease(release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.release = release
	}
}

// leave gives back the place; c.mu is held.
func (c *Conn) leave() {
	if c.release != nil {
		c.release()
		c.release = nil
	}
}

// Close tells the peer the reason, after what streams have written before, for at
// most a second. Records that wait are dropped.
func (c *Conn) Close(reason string) error {
	c.end(fmt.Errorf("%w: %s", cause.ErrClosed, reason), reason)
	return nil
}

// end ends the connection for a reason, once, and tells the peer the farewell if
// there is one and the peer may be told something. The deadline ends both
// goroutines; closing TCP is the reader's task, because it waits for them.
func (c *Conn) end(why error, farewell string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = why
	c.leave()
	c.out.dropIf(func(*queue.Chunk) bool { return true })
	c.out.spare = nil
	c.streams.discard(errors.Is(why, cause.ErrClosed))
	deadline := time.Unix(1, 0)
	if farewell != "" && c.spoken {
		deadline = time.Now().Add(goodbye)
		farewell = farewell[:min(len(farewell), cause.MaxReason)]
		c.out.control = append(appendFrameHeader(c.out.control, frameEnd, len(farewell)), farewell...)
		c.flush()
	}
	_ = c.nc.SetDeadline(deadline)
	c.streams.wake()
	c.changed.Broadcast()
	close(c.done)
}

// flush writes what it can; c.mu is held.
func (c *Conn) flush() {
	if c.stalled {
		return
	}
	if err := c.rc.Control(c.write); err != nil {
		return // closed
	}
	if c.stalled {
		c.stall()
	}
}

// stall lets the writer wait for the socket; c.mu is held.
func (c *Conn) stall() {
	c.stalled = true
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// writeNow writes until nothing is left or the socket is full; c.mu is held.
func (c *Conn) writeNow(fd uintptr) {
	full := c.out.waiting() > fullControl
	c.stalled = false
	for b := c.out.next(); b != nil; b = c.out.next() {
		n, err := tryWrite(fd, b)
		if err != nil {
			c.fails(err)
			break
		}
		if n == 0 {
			c.stalled = true
			break
		}
		if !c.out.fromControl {
			c.path.carried.Add(int64(n))
		}
		c.out.wrote(n)
	}
	if full && c.out.waiting() <= fullControl {
		c.streams.wake()
	}
}

// fails notes that writing has failed; c.mu is held.
func (c *Conn) fails(err error) {
	c.broken = tcpError(err)
	c.out = sendQueue{}
	_ = c.nc.SetDeadline(time.Unix(1, 0)) // wakes the reader, which ends the connection
}

// writeLoop waits for the socket when it is full. At the end of the connection it
// writes what streams have left and says to TCP that nothing more comes.
func (c *Conn) writeLoop() {
	resume := func(fd uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.count.Old.Add(uint64(c.out.expire(time.Now())))
		before := c.path.carried.Load()
		c.writeNow(fd)
		c.path.late.Add(c.path.carried.Load() - before)
		return !c.stalled
	}
	for ended := false; !ended; {
		select {
		case <-c.wake:
		case <-c.done:
			ended = true
		}
		if c.rc.Write(resume) != nil {
			break // closed, or out of time
		}
	}
	_ = c.nc.CloseWrite()
}

// control queues a frame about a stream; c.mu is held.
func (c *Conn) control(kind byte, id uint32, rest []byte) {
	c.out.control = appendStreamFrame(c.out.control, kind, id, rest)
}

var errNoCircuit = errors.New("transport: not a circuit datagram")

// A path carries each record, and each circuit datagram, in a frame of its connection.
type path struct {
	c             *Conn
	carried, late atomic.Int64 // bytes of their frames that TCP took, and of those after a wait; written under c.mu
}

var (
	_ link.Metered   = (*path)(nil)
	_ link.Forwarder = (*path)(nil)
)

func (p *path) Kind() *link.Kind       { return link.KindUTCP }
func (p *path) Local() netip.AddrPort  { return p.c.local }
func (p *path) Remote() netip.AddrPort { return p.c.remote }
func (p *path) Room() int              { return maxRecord }
func (p *path) RTT() time.Duration     { return roundTrip(p.c.rc) }

// Load counts what the socket has taken. TCP delivers it, so nothing counts as
// lost; at most the socket's buffer is still under way.
func (p *path) Load() link.Load { return link.Load{Carried: p.carried.Load(), Late: p.late.Load()} }

// Send writes what TCP takes at once, from where the records lie if nothing waits,
// and copies the rest into the queue.
func (p *path) Send(recs *wire.Batch) (int, error) { return p.send(frameRecord, recs) }

// Forward does the same with circuit datagrams. A node without circuits takes their
// frame for a violation: the caller knows that the peer has stated the capability.
// Errors beside those of Send: errNoCircuit, and nothing is sent, if one is none by its
// form. link.ErrTooBig is for one of more than 1500 bytes.
func (p *path) Forward(datagrams *wire.Batch) (int, error) {
	for i := range datagrams.Len() {
		if _, _, ok := wire.CutCircuit(datagrams.At(i)); !ok {
			return 0, errNoCircuit
		}
	}
	return p.send(frameCircuit, datagrams)
}

func (p *path) send(kind byte, recs *wire.Batch) (int, error) {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, link.ErrClosed
	}
	c.spoken = true
	now := time.Now()
	n := 0
	if c.out.empty() && !c.out.hold && !c.stalled && c.broken == nil {
		n = c.writePast(kind, recs, now)
	}
	n, old, err := c.out.push(kind, recs, n, now)
	c.count.Old.Add(uint64(old))
	if err == link.ErrQueueFull && kind == frameRecord {
		c.count.Full.Add(uint64(recs.Len() - n))
	}
	c.flush()
	return n, err
}

// writePast writes records past the empty queue. What the socket did not take of
// one is queued; it returns how many need no care any more. c.mu is held.
func (c *Conn) writePast(kind byte, recs *wire.Batch, now time.Time) int {
	tried, bytes, err := c.vector.write(c, kind, recs)
	if err != nil {
		c.fails(err)
		return recs.Len()
	}
	c.path.carried.Add(int64(bytes))
	n := c.out.wroteOf(kind, recs, bytes, now)
	if n < tried || !c.out.empty() {
		c.stall()
	}
	return n
}
