package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// routeOf is the path of a connection of the session; nil for none.
func (s *Session) routeOf(conn link.Conn) *route {
	for _, r := range s.paths.routes {
		if r.conn == conn {
			return r
		}
	}
	return nil
}

// attach takes a proven connection over and watches for its end. On one that we
// dialled, handshakes of the peer are served from now on.
func (s *Session) attach(conn link.Conn, dialled bool, now time.Time) {
	if r := s.routeOf(conn); r != nil {
		s.paths.tell(now, func(now time.Time) []paths.Action { return s.paths.machine.Revisit(now, r.id, paths.Handshake) })
		return
	}
	if c, ok := conn.(interface{ Proven() }); ok {
		c.Proven() // its transport may count strangers' connections
	}
	s.paths.add(conn.Path(), conn, paths.Handshake, conn.Link() == wire.LinkUTCP && !dialled, now)
	if dialled {
		s.m.wg.Go(func() { s.m.serve(conn, s) })
	}
	s.wg.Go(func() {
		select {
		case <-conn.Done():
			s.box.Post(func(now time.Time) { s.connDone(conn, now) })
		case <-s.ctx.Done():
			conn.Close("session closed")
		}
	})
}

// connDone takes note that a connection has ended.
func (s *Session) connDone(conn link.Conn, now time.Time) {
	s.log.Debug("connection ended", "remote", conn.Remote(), "error", conn.Err())
	switch r := s.routeOf(conn); {
	case r == nil:
	case !s.leaveBy.IsZero():
		s.paths.drop(r.id) // the peer has CLOSE: that is no outage
	default:
		s.paths.tell(now, func(now time.Time) []paths.Action { return s.paths.machine.Gone(now, r.id) })
	}
}

// streamConn is the connection for ordered channels; nil for none.
func (s *Session) streamConn() link.Conn {
	if r := s.paths.find(s.paths.machine.Summary().Stream); r != nil {
		return r.conn
	}
	return nil
}

// release lets go of everything that a session without keys must not hold.
func (s *Session) release(now time.Time) {
	s.attempts.abandon()
	s.plane.Use(nil, nil)
	s.keys.Drop(now)
	s.paths.clear(now)
}

// linkName is what people are shown of the path in use.
func (s *Session) linkName() string {
	if s.paths.using == nil {
		return ""
	}
	return string(s.paths.using.Kind().Link)
}
