package names

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxConns is how many TCP connections are served at once; the next wait.
	maxConns = 32
	// idleTime is how long one may take for a query, and for an answer.
	idleTime = 5 * time.Second
	// readPause is the wait after an error that is not the end.
	readPause = 10 * time.Millisecond
)

// A Server answers on sockets that its owner has opened. It is safe for concurrent use.
type Server struct {
	packets net.PacketConn
	streams net.Listener
	allowed func(netip.Addr) bool
	table   atomic.Pointer[Table]
	wg      sync.WaitGroup // one reader of packets, one of connections, one a connection
	slots   chan struct{}
	ended   chan struct{}
	once    sync.Once
	refused atomic.Uint64

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// Serve begins to answer from a table. It owns the sockets from here on. What comes from
// an address that is not allowed is dropped, and counted: only this host is answered.
func Serve(packets net.PacketConn, streams net.Listener, t *Table, allowed func(netip.Addr) bool) *Server {
	s := &Server{packets: packets, streams: streams, allowed: allowed, slots: make(chan struct{}, maxConns), ended: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	s.table.Store(t)
	s.wg.Go(s.readPackets) // both end with Close
	s.wg.Go(s.acceptStreams)
	return s
}

// Set changes the table.
func (s *Server) Set(t *Table) { s.table.Store(t) }

// Refused counts what came from elsewhere.
func (s *Server) Refused() uint64 { return s.refused.Load() }

// Close ends the server and waits for what is under way.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.ended)
		s.packets.Close()
		s.streams.Close()
		s.mu.Lock()
		for c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
	})
	s.wg.Wait()
}

// over waits a moment after an error, and reports whether the server has ended.
func (s *Server) over() bool {
	select {
	case <-s.ended:
		return true
	case <-time.After(readPause):
		return false
	}
}

func (s *Server) takes(from net.Addr) bool {
	if a, err := netip.ParseAddrPort(from.String()); err == nil && s.allowed(a.Addr().Unmap().WithZone("")) {
		return true
	}
	s.refused.Add(1)
	return false
}

func (s *Server) readPackets() {
	b := make([]byte, ownSize)
	for {
		n, from, err := s.packets.ReadFrom(b)
		if err != nil {
			if s.over() {
				return
			}
			continue
		}
		if !s.takes(from) {
			continue
		}
		if answer := s.table.Load().Answer(b[:n], true); answer != nil {
			_, _ = s.packets.WriteTo(answer, from) // a lost answer is asked for again
		}
	}
}

func (s *Server) acceptStreams() {
	for {
		select {
		case s.slots <- struct{}{}:
		case <-s.ended:
			return
		}
		c, err := s.streams.Accept()
		switch {
		case err != nil:
			<-s.slots
			if s.over() {
				return
			}
		case !s.takes(c.RemoteAddr()) || !s.keep(c):
			c.Close()
			<-s.slots
		default:
			s.wg.Go(func() {
				s.serve(c)
				s.forget(c)
				<-s.slots
			})
		}
	}
}

// keep notes a connection for Close; false: the server has ended.
func (s *Server) keep(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.ended:
		return false
	default:
		s.conns[c] = struct{}{}
		return true
	}
}

func (s *Server) forget(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// serve answers the queries of a connection, each behind its length (RFC 7766).
func (s *Server) serve(c net.Conn) {
	var head [2]byte
	for {
		_ = c.SetDeadline(time.Now().Add(idleTime))
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := s.table.Load().Answer(query, false)
		if answer == nil {
			return
		}
		framed := append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(answer)), uint16(len(answer))), answer...)
		if _, err := c.Write(framed); err != nil {
			return
		}
	}
}
