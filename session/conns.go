package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/link"
)

// linger is how long a connection that has been replaced stays open, so that
// what is under way on it still arrives.
const linger = 5 * time.Second

// An attached connection carries the session, or did until a moment ago.
type attached struct {
	conn    link.Conn
	closeAt time.Time // zero: in use
}

// attach takes a proven connection over and watches for its end. On one that we
// dialled, handshakes of the peer are served from now on.
func (s *Session) attach(conn link.Conn, dialled bool) {
	if a := s.conns[conn]; a != nil {
		a.closeAt = time.Time{}
		return
	}
	s.conns[conn] = &attached{conn: conn}
	s.live.remote = conn.Remote()
	if dialled {
		s.m.wg.Go(func() { s.m.serve(conn, s) })
	}
	s.wg.Go(func() {
		select {
		case <-conn.Done():
			s.box.post(func(now time.Time) { s.connDone(conn, now) })
		case <-s.ctx.Done():
			conn.Close("session closed")
		}
	})
}

// connDone takes note that a connection has ended.
func (s *Session) connDone(conn link.Conn, now time.Time) {
	delete(s.conns, conn)
	s.log.Debug("connection ended", "remote", conn.Remote(), "error", conn.Err())
	if s.inUse == conn {
		s.inUse = nil
		s.event(ConnectivityLost, now)
	}
}

// retireConns lets every connection but the one in use end soon.
func (s *Session) retireConns(now time.Time) {
	for conn, a := range s.conns {
		if conn != s.inUse && a.closeAt.IsZero() {
			a.closeAt = now.Add(linger)
		}
	}
}

func (s *Session) tickConns(now time.Time) {
	for conn, a := range s.conns {
		if due(a.closeAt, now) {
			conn.Close("replaced")
		}
	}
}

func (s *Session) connsDeadline() (first time.Time) {
	for _, a := range s.conns {
		first = earliest(first, a.closeAt)
	}
	return first
}

// release lets go of everything that a session without keys must not hold.
func (s *Session) release(now time.Time) {
	s.abandon()
	s.plane.Use(nil, nil)
	s.epochs.drop(now)
	for conn := range s.conns {
		conn.Close("session ended")
	}
	s.inUse = nil
	s.live.idle()
}

// linkName is what people are shown of the path in use.
func (s *Session) linkName() string {
	if s.inUse == nil {
		return ""
	}
	return string(s.inUse.Link())
}
