package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// linger is how long a connection that has been replaced stays open, so that
// what is under way on it still arrives.
const linger = 5 * time.Second

// maxPerLink is how many connections of one link a session has: the old one and
// the new one while one replaces the other. Beyond it the oldest goes, so that a
// peer's handshakes buy no memory.
const maxPerLink = 2

// An attached connection carries the session, or did until a moment ago.
type attached struct {
	conn    link.Conn
	dialled bool      // by us
	number  uint64    // in the order in which they came
	closeAt time.Time // zero: in use
}

// attach takes a proven connection over and watches for its end. On one that we
// dialled, handshakes of the peer are served from now on.
func (s *Session) attach(conn link.Conn, dialled bool) {
	if a := s.conns[conn]; a != nil {
		a.closeAt = time.Time{}
		return
	}
	s.conns[conn] = &attached{conn: conn, dialled: dialled, number: s.nextConn()}
	if c, ok := conn.(interface{ Proven() }); ok {
		c.Proven() // its transport may count strangers' connections
	}
	s.boundConns(conn)
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

func (s *Session) nextConn() (number uint64) {
	for _, a := range s.conns {
		number = max(number, a.number+1)
	}
	return number
}

// boundConns closes the oldest connection of a link that has too many. That of the
// path in use stays, and the new one.
func (s *Session) boundConns(last link.Conn) {
	for {
		n, oldest := 0, (*attached)(nil)
		for conn, a := range s.conns {
			if conn.Link() != last.Link() {
				continue
			}
			n++
			inUse := s.using != nil && s.using.conn == conn
			if conn != last && !inUse && (oldest == nil || a.number < oldest.number) {
				oldest = a
			}
		}
		if n <= maxPerLink || oldest == nil {
			return
		}
		oldest.conn.Close("replaced")
		delete(s.conns, oldest.conn)
	}
}

// connDone takes note that a connection has ended.
func (s *Session) connDone(conn link.Conn, now time.Time) {
	delete(s.conns, conn)
	s.log.Debug("connection ended", "remote", conn.Remote(), "error", conn.Err())
	x := s.pathOf(conn.Path())
	if x == nil {
		return
	}
	s.removePath(x)
	if s.using != x {
		s.spread(now)
		return
	}
	s.live.first = now.Add(-heartbeatAnswer) // whatever answered lately will do
	s.lose(now)
	s.removePath(x)
	if s.using == x {
		s.using = nil
	}
}

// retireConns lets connections end soon that nothing needs: of each link the one
// stays whose handshake won, and μTCP only until a better path has carried the
// session for a while.
func (s *Session) retireConns(now time.Time) {
	for conn, a := range s.conns {
		x := s.pathOf(conn.Path())
		switch {
		case x == s.using:
			a.closeAt = time.Time{}
		case !a.closeAt.IsZero():
		case x == nil || !x.main:
			a.closeAt = now.Add(linger)
		case s.using != nil && s.rank(x) > s.rank(s.using) && conn.Link() == wire.LinkUTCP:
			a.closeAt = now.Add(standbyLife)
		}
	}
}

// standbyLife is how long a μTCP connection outlives the return to QUIC.
const standbyLife = 30 * time.Second

// streamConn is the connection for ordered channels: that of the path in use, else
// of the best path that has one.
func (s *Session) streamConn() link.Conn {
	if s.using != nil && s.using.conn != nil {
		return s.using.conn
	}
	var best *path
	for _, x := range s.paths {
		if x.conn != nil && x.proven && (best == nil || s.rank(x) < s.rank(best) || s.rank(x) == s.rank(best) && x.main) {
			best = x
		}
	}
	if best == nil {
		return nil
	}
	return best.conn
}

func (s *Session) tickConns(now time.Time) {
	for conn, a := range s.conns {
		if !due(a.closeAt, now) {
			continue
		}
		if until := s.peerNeeds(conn); until.After(now) {
			a.closeAt = until
			continue
		}
		conn.Close("replaced")
	}
}

// peerNeeds is until when the peer may need a connection: its heartbeats come by
// the path that it uses, which is another than ours where one direction is bad.
func (s *Session) peerNeeds(c link.Conn) time.Time {
	x := s.pathOf(c.Path())
	if x == nil || !x.main || x.beat.IsZero() {
		return time.Time{}
	}
	return x.beat.Add(s.peer.Settings.Heartbeat + standbyLife)
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
	s.paths, s.using, s.from, s.lostQUIC = nil, nil, nil, lostWay{}
	s.live.idle()
}

// linkName is what people are shown of the path in use.
func (s *Session) linkName() string {
	if s.using == nil {
		return ""
	}
	return string(s.using.Kind().Link)
}
