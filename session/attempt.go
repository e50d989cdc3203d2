package session

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// shakeTime is how long one connection may take over a handshake while others
// may do better.
const shakeTime = 3 * time.Second

// An attempt is one handshake that we initiate, over whichever endpoint and link
// answers: a resumption where there is a secret for it, else a full one. It runs
// in a goroutine of its own and reaches the session by call.
type attempt struct {
	s      *Session
	cancel context.CancelFunc
	spare  bool          // for a second way to a peer that is established
	fresh  bool          // QUIC is dialled from a port of its own
	links  []wire.Link   // what is dialled
	tcp    chan struct{} // closed: μTCP is dialled at once
	once   sync.Once
	over   link.Conn        // the connection in use, tried first; nil: dial
	last   []netip.AddrPort // where the peer was heard
	connect.Initiator

	asksVersion bool // whether a peer that does not answer is of version 0.1.0

	obstacles []Obstacle // of endpoints that could not be tried; the goroutine's until it is done
}

// links are what can be dialled: those with a carrier that is allowed.
func (s *Session) links() []wire.Link {
	return link.Set(s.m.c.Carriers).Links()
}

// begin starts an attempt, with the event that says why: a full handshake inside
// an established session, else whatever brings the session back.
func (s *Session) begin(e Event, now time.Time) {
	if s.attempt != nil || s.leaving || !s.event(e, now) {
		return
	}
	a := &attempt{links: s.links()}
	if s.state == Established || s.state == Rotating {
		a.over = s.streamConn()
	} else if s.resumable(now) {
		a.Resume, a.Keys = s.resume.out, s.epochs.peer
	}
	s.start(a, now)
}

// spare starts an attempt for links that an established session lacks. Without
// links the next handshake of a session that is out of reach leaves now.
func (s *Session) spare(links []paths.Link, now time.Time) {
	switch {
	case len(links) == 0:
		s.retry.Try(now)
		return
	case s.attempt != nil || s.leaving:
		return
	}
	a := &attempt{spare: true}
	for _, l := range links {
		a.links = append(a.links, wire.Link(l))
	}
	if s.resumable(now) {
		a.Resume, a.Keys = s.resume.out, s.epochs.peer
	}
	s.start(a, now)
	a.hurry()
}

// start runs an attempt.
func (s *Session) start(a *attempt, now time.Time) {
	ctx, cancel := context.WithTimeout(s.ctx, s.peer.Settings.HandshakeTimeout)
	a.s, a.cancel, a.tcp = s, cancel, make(chan struct{})
	a.Self, a.Peer, a.Known = s.m.self, s.peer.DID, s.known.young(now)
	a.fresh = s.retry.wantsFresh()
	a.asksVersion = s.asksVersion(a)
	known := s.paths.machine.Summary()
	a.last = []netip.AddrPort{known.UDP, known.Peer}
	number := s.epochs.machine.Propose()
	a.Params = func() (wire.Params, error) { return s.params(number) }
	a.Spend = func() { s.call(func(time.Time) error { s.spend(a.Resume); return nil }) }
	a.Prove = a.finish
	s.attempt = a
	s.wg.Go(func() {
		defer cancel()
		err := errFault
		s.protect("handshake", func() { err = a.run(ctx) })
		s.box.Post(func(now time.Time) { s.attemptDone(a, err, now) })
	})
}

// safely is dial, whatever the other end answers.
func (a *attempt) safely(ctx context.Context, l wire.Link, remote netip.AddrPort) dial.Dialed {
	d := dial.Dialed{Err: errFault}
	a.s.protect("handshake", func() { d = a.dial(ctx, l, remote) })
	return d
}

// hurry lets μTCP be dialled without its delay.
func (a *attempt) hurry() { a.once.Do(func() { close(a.tcp) }) }

// abandon gives up the attempt that runs.
func (s *Session) abandon() {
	if s.attempt != nil {
		s.attempt.cancel()
		s.attempt = nil
	}
}

// attemptDone takes note of how an attempt ended.
func (s *Session) attemptDone(a *attempt, err error, now time.Time) {
	clear(a.Resume.Secret[:])
	if s.attempt != a {
		return // abandoned: its outcome does not matter any more
	}
	s.attempt = nil
	if err == nil {
		return
	}
	if !a.spare {
		s.retry.obstacles = a.obstacles
	}
	if slices.Contains(a.links, wire.LinkQUIC) {
		s.retry.silent++
	}
	s.tally.failed(err)
	s.logFailure(a, err, now)
	s.failed(eventOf(err), now)
}

// logFailure says little of a peer that stays out of reach, and nothing of
// attempts that a session can do without.
func (s *Session) logFailure(a *attempt, err error, now time.Time) {
	if a.spare || !s.retry.failures.Failed(string(eventOf(err).Reason()), now) {
		s.log.Debug("handshake failed", "error", err)
		return
	}
	s.log.Info("handshake failed", append([]any{"error", err}, s.retry.failures.Summary(now)...)...)
}

// failed applies the failure of a handshake: it fails a session that has
// nothing better; one that is out of reach keeps its state and tries again.
func (s *Session) failed(e Event, now time.Time) {
	switch s.state {
	case HandshakeInitiated, HandshakeReceived:
		if s.attempt == nil && s.halfOpen.count() == 0 {
			s.event(e, now)
		}
	case Degraded:
		s.reason = e.Reason()
		s.retry.Failed(now)
	} // established: rotation asks again
}

// run tries the connection in use, then every endpoint, until one handshake is
// complete. It returns the most telling error.
func (a *attempt) run(ctx context.Context) error {
	if a.over != nil {
		err := a.Shake(ctx, dial.Dialed{Conn: a.over})
		if err == nil || ctx.Err() != nil || connect.Decided(err) {
			return err
		}
	}
	return a.race(ctx)
}

// race dials the peer's endpoints and where it was last heard, and makes handshakes
// over the connections as they come, one at a time: at most one M3 leaves.
func (a *attempt) race(ctx context.Context) (err error) {
	doc, unknown := a.s.m.c.Resolver.Resolve(ctx, a.s.peer.DID)
	r := &dial.Race{Network: a.s.m.c.Network, Links: a.links, Dial: a.safely, Hurry: a.tcp}
	for d := range r.Connections(ctx, doc.Endpoints, a.last) {
		if d.Err == nil {
			if d.Err = a.shakeInTime(ctx, d, r.Others()); d.Err == nil {
				return nil
			}
			d.Close("handshake failed")
			if connect.Decided(d.Err) {
				return d.Err
			}
		}
		if o := new(Obstacle); errors.As(d.Err, &o) {
			a.obstacles = append(a.obstacles, *o)
		}
		if !errors.Is(d.Err, link.ErrOff) {
			err = connect.MoreTelling(err, d.Err)
		}
	}
	switch {
	case err != nil:
		return err
	case r.Remotes() == 0:
		return errors.Join(dial.ErrNoEndpoint, unknown)
	}
	return link.ErrOff
}

// shakeInTime does not let one dead connection use up the time of the others.
func (a *attempt) shakeInTime(ctx context.Context, d dial.Dialed, others bool) error {
	if others {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, shakeTime)
		defer cancel()
	}
	err := a.Shake(ctx, d)
	if !a.asksVersion {
		return err
	}
	return connect.CheckVersion(ctx, a.s.m.c.Network, d.Conn, err)
}

// dial dials one remote over one link.
func (a *attempt) dial(ctx context.Context, l wire.Link, remote netip.AddrPort) dial.Dialed {
	if f, ok := a.s.m.c.Network.(link.FreshDialer); ok && a.fresh && l == wire.LinkQUIC {
		conn, err := f.DialFresh(ctx, remote)
		return dial.Dialed{Conn: conn, Err: err}
	}
	if l == wire.LinkQUIC {
		if d, ok := a.DialEarly(ctx, a.s.m.c.Network, remote); ok {
			return d
		}
	}
	conn, err := a.s.m.c.Network.Dial(ctx, l, remote)
	return dial.Dialed{Conn: conn, Err: err}
}

// finish hands the proof to the session, which decides whether M3 or M3r leaves.
func (a *attempt) finish(p *connect.Proof) error {
	return a.s.call(func(now time.Time) error {
		if a.s.attempt != a {
			return context.Canceled
		}
		a.s.attempt = nil
		err := a.s.proven(&proof{Proof: *p}, ReceiveResponse, now)
		if err != nil && a.s.attempt == nil {
			a.s.attempt = a // attemptDone says what it means
		}
		return err
	})
}
