package session

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
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
	known  *handshake.PeerKeys
	number uint32 // proposed epoch number
	resume handshake.Resume
	peer   *did.KeySet // for a resumption

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
		a.resume, a.peer = s.resume.out, s.epochs.peer
	}
	s.start(a)
}

// spare starts an attempt for links that an established session lacks. Without
// links the next handshake of a session that is out of reach leaves now.
func (s *Session) spare(links []paths.Link, now time.Time) {
	switch {
	case len(links) == 0:
		s.retry.soon(now)
		return
	case s.attempt != nil || s.leaving:
		return
	}
	a := &attempt{spare: true}
	for _, l := range links {
		a.links = append(a.links, wire.Link(l))
	}
	if s.resumable(now) {
		a.resume, a.peer = s.resume.out, s.epochs.peer
	}
	s.start(a)
	a.hurry()
}

// start runs an attempt.
func (s *Session) start(a *attempt) {
	ctx, cancel := context.WithTimeout(s.ctx, s.peer.Settings.HandshakeTimeout)
	a.s, a.cancel, a.known, a.tcp = s, cancel, s.known.young(time.Now()), make(chan struct{})
	a.fresh = s.retry.wantsFresh()
	a.asksVersion = s.asksVersion(a)
	known := s.paths.machine.Summary()
	a.number, a.last = s.epochs.machine.Propose(), []netip.AddrPort{known.UDP, known.Peer}
	s.attempt = a
	s.wg.Go(func() {
		defer cancel()
		err := errFault
		s.protect("handshake", func() { err = a.run(ctx) })
		s.box.post(func(now time.Time) { s.attemptDone(a, err, now) })
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
	clear(a.resume.Secret[:])
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
	if a.spare || !s.retry.hush.failed(reasonOf(eventOf(err)), now) {
		s.log.Debug("handshake failed", "error", err)
		return
	}
	s.log.Info("handshake failed", append([]any{"error", err}, s.retry.hush.told(now)...)...)
}

// failed applies the failure of a handshake: it fails a session that has
// nothing better; one that is out of reach keeps its state and tries again.
func (s *Session) failed(e Event, now time.Time) {
	switch s.state {
	case HandshakeInitiated, HandshakeReceived:
		if s.attempt == nil && len(s.halfOpen) == 0 {
			s.event(e, now)
		}
	case Degraded:
		s.reason = reasonOf(e)
		s.retry.backoff(now)
	} // established: rotation asks again
}

// run tries the connection in use, then every endpoint, until one handshake is
// complete. It returns the most telling error.
func (a *attempt) run(ctx context.Context) error {
	if a.over != nil {
		err := a.shake(ctx, dial.Dialed{Conn: a.over})
		if err == nil || ctx.Err() != nil || decided(err) {
			return err
		}
	}
	return a.race(ctx)
}

// race dials the peer's endpoints and where it was last heard, and shakes hands
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
			if decided(d.Err) {
				return d.Err
			}
		}
		if o := new(Obstacle); errors.As(d.Err, &o) {
			a.obstacles = append(a.obstacles, *o)
		}
		if !errors.Is(d.Err, link.ErrOff) {
			err = moreTelling(err, d.Err)
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
	err := a.shake(ctx, d)
	if !a.asksVersion {
		return err
	}
	return checkVersion(ctx, a.s.m.c.Network, d.Conn, err)
}

// dial dials one remote over one link.
func (a *attempt) dial(ctx context.Context, l wire.Link, remote netip.AddrPort) dial.Dialed {
	if f, ok := a.s.m.c.Network.(link.FreshDialer); ok && a.fresh && l == wire.LinkQUIC {
		conn, err := f.DialFresh(ctx, remote)
		return dial.Dialed{Conn: conn, Err: err}
	}
	if l == wire.LinkQUIC {
		if d, ok := a.dialEarly(ctx, remote); ok {
			return d
		}
	}
	conn, err := a.s.m.c.Network.Dial(ctx, l, remote)
	return dial.Dialed{Conn: conn, Err: err}
}

// shake runs a handshake on conn as its initiator. When the peer does not know
// the resumption secret, the full handshake follows on the same stream.
func (a *attempt) shake(ctx context.Context, d dial.Dialed) error {
	conn := d.Conn
	h, _ := d.Begun.(*hello)
	st, err := h.stream(ctx, conn)
	if err != nil {
		return err
	}
	defer st.Close()
	deadline, _ := ctx.Deadline()
	st.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()

	params, err := a.s.params(a.number)
	if err != nil {
		return err
	}
	kind, value := conn.Binding()
	conf := a.s.m.handshakeConfig(kind, value)
	p := &proof{kind: rotation.Resumed, conn: conn, stream: st}
	if err = handshake.ErrUnknownSecret; !a.resume.Secret.IsZero() {
		if h != nil {
			p.m3, p.res, err = h.read(conf.Binding)
		} else {
			p.m3, p.res, err = a.resumption(st, conf, params)
		}
		if spent(err) {
			a.s.call(func(time.Time) error { a.s.spend(a.resume); return nil })
		}
	}
	if errors.Is(err, handshake.ErrUnknownSecret) {
		p.kind, p.forgotten = rotation.Full, !a.resume.Secret.IsZero()
		p.m3, p.res, err = a.converse(st, conf, params)
	}
	if err != nil {
		return err
	}
	return a.finish(p)
}

// A decision is the session's own "no" to a handshake that the peer has answered:
// no other endpoint would change it.
type decision struct{ err error }

func (d decision) Error() string { return d.err.Error() }
func (d decision) Unwrap() error { return d.err }

func decided(err error) bool { return errors.As(err, new(decision)) }

// finish hands the proof to the session, which lets M3 or M3r leave.
func (a *attempt) finish(p *proof) error {
	defer p.res.Erase()
	err := a.s.call(func(now time.Time) error {
		if a.s.attempt != a {
			return context.Canceled
		}
		a.s.attempt = nil
		err := a.s.proven(p, ReceiveResponse, now)
		if err != nil && a.s.attempt == nil {
			a.s.attempt = a // attemptDone says what it means
		}
		return err
	})
	if err != nil {
		return decision{err}
	}
	return nil
}

// converse exchanges messages until M2 has been read. It returns M3, unsent.
func (a *attempt) converse(st link.Stream, c handshake.Config, p wire.Params) (m3 []byte, res *handshake.Result, err error) {
	machine, err := handshake.NewInitiator(c, a.s.peer.DID, a.known, p)
	if err != nil {
		return nil, nil, err
	}
	return exchange(st, machine)
}

// exchange passes messages until M2 has been read. It returns M3, unsent.
func exchange(st link.Stream, machine *handshake.Initiator) (m3 []byte, res *handshake.Result, err error) {
	out, err := machine.Start(nil)
	for err == nil && res == nil {
		if _, err = st.Write(out); err != nil {
			break
		}
		var msg []byte
		if msg, err = readMessage(st); err == nil {
			out, res, err = machine.Read(nil, msg)
		}
	}
	return out, res, err
}
