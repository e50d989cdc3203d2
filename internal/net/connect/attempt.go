package connect

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// connTime is how long one connection may take over a handshake while others may do
// better.
const connTime = 3 * time.Second

// errAborted: an attempt met a defect of this program.
var errAborted = errors.New("session: internal error, recovered")

// An Attempt makes one handshake with a peer, over whichever endpoint and link
// answers. Run it once.
type Attempt struct {
	Initiator
	Network  link.Network
	Resolver did.Resolver     // of the peer's endpoints
	Links    []wire.Link      // that are dialled
	Known    []netip.AddrPort // where the peer was heard: dialled behind its endpoints
	Over     link.Conn        // a connection in use, tried first; nil: none
	NewPort  bool             // QUIC is dialled from a port of its own
	// Only: nothing is dialled but what Join adds.
	Only bool
	// Patient: the attempt waits for what Join adds until its time is over.
	Patient bool
	// Endpoints is told how many endpoints the peer has, and Found what one has led to.
	Endpoints func(n int)
	Found     func(remotes []netip.AddrPort)
	// AskVersion: a peer that ends connections without an answer is asked whether it
	// is of version 0.1.0.
	AskVersion bool
	// Protect runs what handles something of the peer and reports false if that met
	// a defect of this program.
	Protect func(where string, f func()) bool

	obstacles []dial.Obstacle
	hurried   sync.Once
	hurry     chan struct{} // closed: μTCP is dialled at once
	joins     chan netip.AddrPort
}

// maxJoins bounds the remotes that join an attempt and are not dialled yet.
const maxJoins = 16

// NewAttempt makes an attempt, whose fields the caller sets before it runs.
func NewAttempt(i Initiator) *Attempt {
	return &Attempt{Initiator: i, Endpoints: func(int) {}, hurry: make(chan struct{}), joins: make(chan netip.AddrPort, maxJoins)}
}

// Follows reports whether the attempt dials what Join adds.
func (a *Attempt) Follows() bool { return a.Only || a.Patient }

// Join lets an attempt that is patient, or dials only such remotes, dial some over QUIC
// at once. It never blocks.
func (a *Attempt) Join(remotes ...netip.AddrPort) {
	for _, r := range remotes {
		select {
		case a.joins <- r:
		default: // they are bounded
		}
	}
}

// Hurry lets μTCP be dialled without its delay. Any goroutine may call it.
func (a *Attempt) Hurry() { a.hurried.Do(func() { close(a.hurry) }) }

// Obstacles are of endpoints that could not be tried, once Run has returned.
func (a *Attempt) Obstacles() []dial.Obstacle { return a.obstacles }

// Run tries the connection in use, then every endpoint, until one handshake is
// complete. Of several errors it returns the one that says most about the peer.
func (a *Attempt) Run(ctx context.Context) error {
	err := errAborted
	a.Protect("handshake", func() { err = a.run(ctx) })
	return err
}

func (a *Attempt) run(ctx context.Context) error {
	ctx = link.DialFor(ctx, a.Peer.Digest())
	if a.Over != nil {
		err := a.Shake(ctx, dial.Dialed{Conn: a.Over})
		if err == nil || ctx.Err() != nil || decided(err) {
			return err
		}
	}
	return a.race(ctx)
}

// race dials the peer's endpoints and where it was last heard, and makes handshakes
// over the connections as they come, one at a time: at most one M3 leaves.
func (a *Attempt) race(ctx context.Context) (err error) {
	doc, unknown := did.Document{}, error(nil)
	if !a.Only {
		doc, unknown = a.Resolver.Resolve(ctx, a.Peer)
		a.Endpoints(len(doc.Endpoints))
	}
	r := &dial.Race{Network: a.Network, Links: a.Links, Dial: a.dialSafely, Hurry: a.hurry, Found: a.Found, Met: a.dialMet}
	if a.Follows() {
		r.More = a.joins
	}
	for d := range r.Connections(ctx, doc.Endpoints, a.Known) {
		if d.Err == nil {
			if d.Err = a.shakeInTime(ctx, d, r.Others()); d.Err == nil {
				return nil
			}
			d.Close("handshake failed")
			if decided(d.Err) {
				return d.Err
			}
		}
		if o := new(dial.Obstacle); errors.As(d.Err, &o) {
			a.obstacles = append(a.obstacles, *o)
		}
		if !errors.Is(d.Err, link.ErrOff) {
			err = MoreInformative(err, d.Err)
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
func (a *Attempt) shakeInTime(ctx context.Context, d dial.Dialed, others bool) error {
	if others {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, connTime)
		defer cancel()
	}
	err := a.Shake(ctx, d)
	if !a.AskVersion {
		return err
	}
	return CheckVersion(ctx, a.Network, d.Conn, err)
}

// dialSafely is dial, whatever the other end answers.
func (a *Attempt) dialSafely(ctx context.Context, l wire.Link, remote netip.AddrPort) dial.Dialed {
	d := dial.Dialed{Err: errAborted}
	a.Protect("handshake", func() { d = a.dial(ctx, l, remote) })
	return d
}

// dialMet dials what has joined: from the port that listens, as the peer expects it.
func (a *Attempt) dialMet(ctx context.Context, remote netip.AddrPort) dial.Dialed {
	d := dial.Dialed{Err: errAborted}
	a.Protect("handshake", func() {
		var early bool
		if d, early = a.DialEarly(ctx, a.Network, remote); !early {
			d = dial.Dialed{}
			d.Conn, d.Err = a.Network.Dial(ctx, wire.LinkQUIC, remote)
		}
	})
	return d
}

// dial dials one remote over one link.
func (a *Attempt) dial(ctx context.Context, l wire.Link, remote netip.AddrPort) dial.Dialed {
	if f, ok := a.Network.(link.FreshDialer); ok && a.NewPort && l == wire.LinkQUIC {
		conn, err := f.DialFresh(ctx, remote)
		return dial.Dialed{Conn: conn, Err: err}
	}
	if l == wire.LinkQUIC {
		if d, ok := a.DialEarly(ctx, a.Network, remote); ok {
			return d
		}
	}
	conn, err := a.Network.Dial(ctx, l, remote)
	return dial.Dialed{Conn: conn, Err: err}
}
