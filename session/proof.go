package session

import (
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

// A proof is a full handshake or a resumption on its way to an epoch in use.
type proof struct {
	id     uint64
	kind   rotation.Kind
	res    *handshake.Result
	conn   link.Conn
	stream link.Stream
	m3     []byte // M3 or M3r, the initiator's, unsent
	err    error  // why the epoch did not come to use

	forgotten bool // the peer did not know the secret that we wanted to resume from
}

// proven puts the epoch of a complete handshake to use, unless rotation knows a
// better one. For the initiator M3 leaves here, after the receive key is
// installed; for the responder M3 has been verified and the key is in place.
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
		if !s.epochs.machine.Takes(p.res.Epoch) {
			return errNumbers
		}
		p.id = s.epochs.machine.NewID()
		if err := s.epochs.install(p.id, p.res, false); err != nil {
			return err
		}
	}
	s.attach(p.conn, role == rotation.Initiator, now)
	s.epochs.proofs[p.id] = p
	actions := s.epochs.machine.Established(now, rotation.Candidate{ID: p.id, Number: p.res.Epoch, Kind: p.kind, Role: role})
	won := wins(actions, p.id)
	s.epochs.keepRekey(p.id, p.res) // before a path is taken: a move begins a rotation, which is chained from it
	if won {
		s.epochs.peer = p.res.PeerKeys.KeySet
	}
	s.epochs.do(actions, now)
	delete(s.epochs.proofs, p.id)
	if p.err != nil {
		return p.err
	}
	s.takePath(p, won, now)
	s.tally.proven(p.kind)
	if p.kind == rotation.Full {
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
	if p.conn.Link() == wire.LinkQUIC {
		s.retry.silent = 0
	}
	r := s.routeOf(p.conn)
	if r == nil {
		return // it has ended
	}
	c := paths.Completion{Won: won, Fresh: p.kind == rotation.Full && s.remote.now != p.res.Remote.Incarnation}
	s.paths.tell(now, func(now time.Time) []paths.Action { return s.paths.machine.Proven(now, r.id, c) })
}

// winner takes from the handshake whose epoch is used what later ones start from.
func (s *Session) winner(p *proof, now time.Time) {
	if p.kind == rotation.Full {
		s.fullAt = now
	}
	s.known.keep(p.res.PeerKeys, now)
	s.meet(p, now)
	s.epochs.keep(p.id, p.res)
}

// wins reports whether actions put an epoch to use.
func wins(actions []rotation.Action, id uint64) bool {
	for _, a := range actions {
		if a.Op == rotation.Use && a.ID == id {
			return true
		}
	}
	return false
}

// meet notes which incarnation of the peer has proven itself.
func (s *Session) meet(p *proof, now time.Time) {
	twins := s.remote.duplicates(now) != nil
	if p.forgotten {
		s.remote.forgotten(p.res.Remote.Incarnation, now)
	}
	if !s.remote.meet(p.res.Remote.Incarnation, p.conn.Remote(), now) {
		return
	}
	switch at := s.remote.duplicates(now); {
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
