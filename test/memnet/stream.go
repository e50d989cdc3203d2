package memnet

import (
	"io"
	"os"
	"sync"
	"time"
)

// A Stream is one end of a reliable byte stream.
type Stream struct {
	conn  *Conn
	peer  *Stream
	out   chan chunk // what this end wrote, in order, with its time
	in    chan []byte
	left  []byte
	over  chan struct{} // closed: this end writes no more
	once  sync.Once
	limit *deadline
}

type chunk struct {
	data []byte
	at   time.Time
}

func newStreams(a, b *Conn) (*Stream, *Stream) {
	sa, sb := newStream(a), newStream(b)
	sa.peer, sb.peer = sb, sa
	go sa.pump()
	go sb.pump()
	return sa, sb
}

func newStream(c *Conn) *Stream {
	return &Stream{conn: c, out: make(chan chunk, 64), in: make(chan []byte, 64), over: make(chan struct{}),
		limit: newDeadline()}
}

// pump carries what is written to the peer, in order, each after the line's
// delay; a cut line holds it. It ends with either connection or after Close.
func (s *Stream) pump() {
	defer close(s.peer.in)
	for {
		select {
		case c := <-s.out:
			if !s.carry(c) {
				return
			}
		case <-s.over:
			for {
				select {
				case c := <-s.out:
					if !s.carry(c) {
						return
					}
					continue
				default:
				}
				return
			}
		case <-s.conn.done:
			return
		}
	}
}

func (s *Stream) carry(c chunk) bool {
	if s.conn.virtual.IsValid() {
		return s.carryVirtual(c)
	}
	// A large write has full packets, which QUIC sends again and again.
	blocked := func(l Line) bool {
		return l.cuts(s.conn.link) || len(c.data) >= streamPacket && s.conn.tooWide(l, len(c.data))
	}
	l, err := s.conn.node.net.passable(s.conn.Local(), s.conn.Remote(), blocked, s.conn.done)
	if err != nil {
		s.conn.end(err)
		return false
	}
	if wait := time.Until(c.at.Add(l.Delay)); wait > 0 {
		time.Sleep(wait)
	}
	s.conn.heardBoth()
	return s.deliver(c)
}

// carryVirtual is carry through a circuit, however long its packets take.
func (s *Stream) carryVirtual(c chunk) bool {
	if err := s.conn.carry(len(c.data)); err != nil {
		s.conn.end(err)
		return false
	}
	return s.deliver(c)
}

func (s *Stream) deliver(c chunk) bool {
	select {
	case s.peer.in <- c.data:
		return true
	case <-s.peer.conn.done:
		return false
	}
}

// Write implements io.Writer.
func (s *Stream) Write(b []byte) (int, error) {
	select {
	case s.out <- chunk{append([]byte(nil), b...), time.Now()}:
		return len(b), nil
	case <-s.conn.done:
		return 0, s.conn.err
	case <-s.limit.passed():
		return 0, os.ErrDeadlineExceeded
	}
}

// Read implements io.Reader.
func (s *Stream) Read(b []byte) (int, error) {
	select {
	case <-s.over: // closing gives up reading too
		return 0, io.ErrClosedPipe
	default:
	}
	for len(s.left) == 0 {
		select {
		case <-s.over:
			return 0, io.ErrClosedPipe
		case data, ok := <-s.in:
			if !ok {
				return 0, io.EOF
			}
			s.left = data
		case <-s.conn.done:
			return 0, s.conn.err
		case <-s.limit.passed():
			return 0, os.ErrDeadlineExceeded
		}
	}
	n := copy(b, s.left)
	s.left = s.left[n:]
	return n, nil
}

// Close ends writing; what was written still arrives.
func (s *Stream) Close() error {
	s.once.Do(func() { close(s.over) })
	return nil
}

// SetDeadline implements link.Stream.
func (s *Stream) SetDeadline(t time.Time) error {
	s.limit.set(t)
	return nil
}

// A deadline is a channel that is closed when its time has come; it can be
// moved.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	ch    chan struct{}
}

func newDeadline() *deadline { return &deadline{ch: make(chan struct{})} }

func (d *deadline) passed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ch
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	select {
	case <-d.ch:
		d.ch = make(chan struct{})
	default:
	}
	if !t.IsZero() {
		ch := d.ch
		d.timer = time.AfterFunc(time.Until(t), func() { d.pass(ch) })
	}
}

// pass closes ch unless a later set has replaced it.
func (d *deadline) pass(ch chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-ch:
	default:
		close(ch)
	}
}
