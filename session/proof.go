package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// proven puts the epoch of a complete handshake to use, unless rotation knows a
// better one. For the initiator M3 leaves after it.
func (s *Session) proven(p *keys.Proof, e Event, now time.Time) error {
	if s.state == Closed {
		return ErrClosed
	}
	won, err := s.keys.Prove(p, now)
	if err != nil {
		return err
	}
	s.attach(p.Conn, p.Role == rotation.Initiator, now)
	s.takePath(p, won, now)
	s.tally.proven(p.Kind())
	if won {
		s.attempts.known.Keep(p.Result.PeerKeys, now)
		s.meet(&p.Proof, now)
		s.keys.Keep(p, now)
	}
	s.event(e, now)
	s.heartbeat(now)
	return nil
}

// takePath lets the connection of a complete handshake carry the session, or take
// its place among the paths.
func (s *Session) takePath(p *keys.Proof, won bool, now time.Time) {
	if p.Conn.Link() == wire.LinkQUIC {
		s.attempts.retry.silent = 0
	}
	r := s.routeOf(p.Conn)
	if r == nil {
		return // it has ended
	}
	c := paths.Completion{Won: won, Fresh: !p.Resumed && s.remote.Current() != p.Result.Remote.Incarnation}
	s.paths.tell(now, func(now time.Time) []paths.Action { return s.paths.machine.Proven(now, r.id, c) })
}

// meet notes which incarnation of the peer has proven itself.
func (s *Session) meet(p *connect.Proof, now time.Time) {
	twins := s.remote.Duplicates(now) != nil
	if p.Forgotten {
		s.remote.Forgotten(p.Result.Remote.Incarnation, now)
	}
	if !s.remote.Meet(p.Result.Remote.Incarnation, p.Conn.Remote(), now) {
		return
	}
	switch at := s.remote.Duplicates(now); {
	case at == nil:
		if held, ok := s.log.turn(now); ok {
			s.log.Info("peer restarted", held...)
		}
	case !twins:
		s.log.Warn("two hosts run with the peer's key and take turns", "at", at)
	}
	s.paths.tell(now, s.paths.machine.Restarted)
	s.keys.OnlyCurrent()
	s.msgs.Restart()
}
