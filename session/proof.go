package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// A proof is a full handshake or a resumption on its way to an epoch in use.
type proof struct {
	connect.Proof
	id uint64 // its handle of rotation
}

func (p *proof) kind() rotation.Kind {
	if p.Resumed {
		return rotation.Resumed
	}
	return rotation.Full
}

// proven puts the epoch of a complete handshake to use, unless rotation knows a
// better one. For the initiator M3 leaves after it, as the receive key is installed
// here; for the responder M3 has been verified and the key is in place.
func (s *Session) proven(p *proof, e Event, now time.Time) error {
	if s.state == Closed {
		return ErrClosed
	}
	role := rotation.Responder
	if e == ReceiveAck && s.epochs.byID[p.id] == nil {
		return errGone
	}
	if e == ReceiveResponse {
		role = rotation.Initiator
		if !s.epochs.machine.Takes(p.Result.Epoch) {
			return errNumbers
		}
		p.id = s.epochs.machine.NewID()
		if err := s.epochs.install(p.id, p.Result, false); err != nil {
			return err
		}
	}
	s.attach(p.Conn, role == rotation.Initiator, now)
	actions := s.epochs.machine.Established(now, rotation.Candidate{ID: p.id, Number: p.Result.Epoch, Kind: p.kind(), Role: role})
	won := asks(actions, rotation.Use, p.id)
	s.epochs.keepRekey(p.id, p.Result) // before a path is taken: a move begins a rotation, which is chained from it
	if won {
		s.epochs.peer = p.Result.PeerKeys.KeySet
	}
	s.epochs.do(actions, now)
	if asks(actions, rotation.Abandon, p.id) {
		return errOtherWon
	}
	s.takePath(p, won, now)
	s.tally.proven(p.kind())
	if !p.Resumed {
		s.full++
	}
	if won {
		s.winner(p, now)
	}
	s.event(e, now)
	s.heartbeat(now)
	return nil
}

// takePath lets the connection of a complete handshake carry the session, or take
// its place among the paths.
func (s *Session) takePath(p *proof, won bool, now time.Time) {
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

// winner takes from the handshake whose epoch is used what later ones start from.
func (s *Session) winner(p *proof, now time.Time) {
	if !p.Resumed {
		s.fullAt = now
	}
	s.attempts.known.Keep(p.Result.PeerKeys, now)
	s.meet(p, now)
	s.epochs.keep(p.id, p.Result)
}

// asks reports whether an action for an epoch is among the list.
func asks(actions []rotation.Action, op rotation.Op, id uint64) bool {
	for _, a := range actions {
		if a.Op == op && a.ID == id {
			return true
		}
	}
	return false
}

// meet notes which incarnation of the peer has proven itself.
func (s *Session) meet(p *proof, now time.Time) {
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
	s.epochs.onlyNew()
	s.msgs.Restart()
}
