package session

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// Suite names the algorithms of the handshake, as status shows them.
const Suite = "X25519+ML-KEM-768 Ed25519+ML-DSA-65"

// A snapshot is what the loop publishes after each turn.
type snapshot struct {
	Status  // without what Session.Status adds when it is asked
	fullAt  time.Time
	epochAt time.Time
}

// A Status is what people are shown of a session at one moment.
type Status struct {
	DID          did.DID
	Name         string
	State        State
	Reason       Reason         // of the last failure, kept until established
	Link         string         // quic or utcp; empty without a path
	Carrier      string         // direct, datagram or utcp
	Endpoint     netip.AddrPort // in use, or last heard
	Suite        string         // empty without keys
	Epoch        uint32         // the same at both ends; 0 without keys
	Handshakes   uint64         // full ones since start
	HandshakeAge time.Duration  // since the last full handshake
	RTT          time.Duration
	EpochAge     time.Duration  // since the epoch came into use
	Preferred    string         // carrier that Prefer was given; empty: the best
	MTU          int            // inner MTU that both ends can use, bytes; 0 without keys
	Room         int            // largest record on the path in use, bytes; 0 without a path
	Inbound      bool           // Endpoint is the peer's end of a μTCP connection that it dialled: nobody listens there
	Local        netip.AddrPort // our own address on the path in use
	Seen         netip.AddrPort // where the peer sees us on the path in use; invalid until it told
	Trouble      Trouble
	Refused      uint64
	RxBytes      uint64
	TxBytes      uint64
	RxPackets    uint64
	TxPackets    uint64
	Queued       int64
	Dropped      map[string]uint64
}

// Status returns the session as it is now.
func (s *Session) Status() Status {
	p, t := s.status.Load(), s.plane.Traffic()
	st, sum := p.Status, t.Total()
	st.DID, st.Name, st.EpochAge = s.peer.DID, s.Name(), p.epochAge()
	st.RxBytes, st.TxBytes, st.RxPackets, st.TxPackets = sum.RxBytes, sum.TxBytes, sum.RxPackets, sum.TxPackets
	st.Queued, st.Dropped = t.Queued.Load(), t.Drops()
	if !p.fullAt.IsZero() {
		st.HandshakeAge = time.Since(p.fullAt)
	}
	return st
}

// publish makes the loop's state visible.
func (s *Session) publish(now time.Time) {
	sum := s.paths.machine.Summary()
	full, fullAt := s.keys.Secrets.Full()
	p := &snapshot{fullAt: fullAt, Status: Status{State: s.state, Reason: s.reason, Handshakes: full, RTT: sum.RTT,
		Refused: s.refused, Preferred: sum.Prefers, Endpoint: sum.Peer, Trouble: s.knownTrouble(now)}}
	if e := s.keys.InUse(); e != nil {
		p.Suite = Suite + " " + e.Cipher().String()
		p.Epoch = e.Number()
		p.epochAt = s.keys.Since()
		p.MTU = s.keys.MTU()
	}
	if path := s.path(); path != nil {
		p.Link, p.Carrier, p.Endpoint = s.linkName(), path.Kind().String(), path.Remote()
		p.Room, p.Inbound, p.Seen, p.Local = path.Room(), sum.Inbound, sum.Seen, path.Local()
	}
	s.status.Store(p)
}

// establish starts the session unless it is up, and waits.
func (s *Session) establish(ctx context.Context) error { return s.await(ctx, s.want) }

// want notes who waits for the session, and starts it.
func (s *Session) want(answer chan error, now time.Time) {
	switch s.state {
	case Established, Rotating:
		s.reply(answer, nil)
		return
	case Closed:
		s.reply(answer, ErrClosed)
		return
	}
	s.waiters = append(s.waiters, answer)
	s.attempts.want(now)
}

// answer tells everybody who waits.
func (s *Session) answer(err error) {
	for _, w := range s.waiters {
		s.reply(w, err)
	}
	s.waiters = nil
}

func (s *Session) failure() error { return fmt.Errorf("%w: %s", ErrFailed, s.reason) }
