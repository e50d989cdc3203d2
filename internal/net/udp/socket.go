package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// A Socket is one UDP socket with its reader and its direct paths. It is safe for
// concurrent use.
type Socket struct {
	o       Options
	conn    Conn
	rc      syscall.RawConn
	local   netip.AddrPort
	reader  *batchReader
	segment bool // the kernel cuts runs
	hints   *hints
	directs directs
	openers *openers
	watches watches
	routes  routes
	handler atomic.Pointer[link.Handler]
	quic    func([]Packet) // nil: QUIC is switched off
	mu      sync.Mutex     // held to close ending, and to add to wg
	closed  bool           // ending is closed
	ending  chan struct{}  // closed by Close
	wg      sync.WaitGroup // the reader, the hints, those of openers and waits
}

// New makes a Socket on an open conn, which it owns from here on unless it returns an
// error. Nothing is read before Start.
func New(c Conn, o Options) (*Socket, error) {
	rc, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	reader, err := newBatchReader(c, rc)
	if err != nil {
		return nil, err
	}
	s := &Socket{o: o, conn: c, rc: rc, local: netaddr.PortOf(c.LocalAddr()), reader: reader,
		segment: !o.NoOffload && canSegment(rc), hints: newHints(), ending: make(chan struct{})}
	s.routes = newRoutes(s.local, o.Mark)
	s.directs.init(newDirectSender(c, rc), s.segment, s.local, s.hints, o.Count)
	s.openers = newOpeners(&s.directs, s.known, o.Count)
	return s, nil
}

// Start begins to read. quic gets, once a receive, the packets that are QUIC's; they
// are its own until it returns. Nil: QUIC is switched off, they are counted.
func (s *Socket) Start(quic func([]Packet)) {
	s.quic = quic
	s.wg.Go(s.readLoop)                                 // ends with the socket; Close waits
	s.wg.Go(func() { s.hintLoop(newErrorQueue(s.rc)) }) // ends with ending
}

// Handle names the receiver of records.
func (s *Socket) Handle(h link.Handler) { s.handler.Store(&h) }

// Handler is the receiver of records; nil before Handle.
func (s *Socket) Handler() link.Handler {
	if h := s.handler.Load(); h != nil {
		return *h
	}
	return nil
}

// Direct returns the direct path to remote: one object for equal remotes as long
// as somebody holds it. Nil when the carrier is switched off.
func (s *Socket) Direct(remote netip.AddrPort) link.Direct {
	if s.o.NoDirect {
		return nil
	}
	return s.directs.to(remote)
}

// Held reports whether somebody holds a direct path.
func (s *Socket) Held() bool { return s.directs.held() }

// Check implements link.Checker.
func (s *Socket) Check(remote netip.AddrPort) error { return s.routes.check(remote) }

// LocalAddr is the bound address, with the port the system chose.
func (s *Socket) LocalAddr() netip.AddrPort { return s.local }

// Patient is the conn for senders that take an error of a send as their own: see
// patientConn.
func (s *Socket) Patient() Conn { return patientConn{s.conn, s.hints} }

// Segments reports whether the kernel cuts runs into datagrams.
func (s *Socket) Segments() bool { return s.segment }

// Close ends the reader and waits until nothing of the Socket runs any more.
func (s *Socket) Close() error {
	var err error
	s.mu.Lock()
	first := !s.closed
	if first {
		s.closed = true
		close(s.ending)
	}
	s.mu.Unlock()
	if first {
		err = s.conn.Close()
	}
	s.wg.Wait()
	return err
}

// run runs f in a goroutine that Close waits for; false, and not at all, after it.
func (s *Socket) run(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.wg.Go(f)
	}
	return !s.closed
}

// readLoop is the one reader of the socket. No error ends it but the socket's end.
func (s *Socket) readLoop() {
	sort := newSorter(s)
	for {
		pkts, err := s.reader.read()
		if cause.IsClosed(err) {
			return
		}
		if err != nil {
			s.readFailed(err)
			continue
		}
		if !s.o.Guard.Do("datagrams", func() { sort.handle(pkts) }) {
			s.o.Count.Faults.Add(1)
			sort = newSorter(s) // what it held is dropped
		}
	}
}

// readFailed tells an ICMP message, which reading takes off the socket, from an
// error that may stay and must not burn a core.
func (s *Socket) readFailed(err error) {
	if isICMP(err) {
		s.hints.look()
		return
	}
	s.o.Count.ReadErrors.Add(1)
	time.Sleep(time.Millisecond)
}

// reported takes an ICMP message.
func (s *Socket) reported(r report, now time.Time) {
	switch {
	case !r.remote.IsValid():
	case s.openers.answered(r, now):
		s.o.Count.Answers.Add(1)
	default:
		s.o.Count.ICMP.Add(1)
		s.hints.note(r.remote, now)
	}
}

// hintLoop passes hints to the Handler.
func (s *Socket) hintLoop(q *errorQueue) {
	for {
		select {
		case <-s.ending:
			return
		case <-s.hints.wake:
		}
		for q.next() {
			s.reported(q.report, time.Now())
		}
		for _, remote := range s.hints.take() {
			if h := s.Handler(); h != nil {
				h.Unreachable(remote)
			}
		}
	}
}
