package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// ErrNoInvitation: the node asked, and nobody else, says that it has no
// invitation open.
var ErrNoInvitation = errors.New("session: no invitation is open")

// An Ask is one request to a node that need not know us, SPEC 6.11.
type Ask struct {
	Identity  *did.Identity
	Network   link.Network // used for this alone; the caller closes it
	Peer      did.DID      // who must answer
	Endpoints []string     // HOST:PORT, tried a little after each other
	Frame     byte         // of the request; 0: wire.FrameJoin
	Request   []byte       // at most wire.MaxJoin bytes; only Peer can read it
}

// Join asks and returns the answer, which is the peer's own: both ends have
// proven their DIDs when the request leaves. Nothing lasts of it at either end
// but what the answer says. Errors: ErrNoInvitation; those of package handshake;
// the network's. Of several errors the one that says most about the node counts.
func Join(ctx context.Context, a Ask) ([]byte, error) {
	if len(a.Request) > wire.MaxJoin {
		return nil, errJoin
	}
	if a.Frame == 0 {
		a.Frame = wire.FrameJoin
	}
	a.Network.Handle(nobody{})
	return a.race(ctx)
}

// race dials every endpoint over QUIC, and μTCP a second later, and asks over the
// connections as they come, one at a time.
func (a *Ask) race(ctx context.Context) (answer []byte, err error) {
	r := &dial.Race{Network: a.Network, Links: []wire.Link{wire.LinkQUIC, wire.LinkUTCP}}
	for d := range r.Connections(ctx, a.Endpoints, nil) {
		if d.Err == nil {
			answer, d.Err = a.ask(ctx, d.Conn)
			d.Err = connect.CheckVersion(ctx, a.Network, d.Conn, d.Err)
			d.Close("joined")
			if d.Err == nil || settles(d.Err) {
				return answer, joinError(d.Err)
			}
		}
		err = connect.MoreInformative(err, d.Err)
	}
	if err == nil {
		err = dial.ErrNoEndpoint
	}
	return nil, err
}

// settles reports whether the peer itself has spoken: another endpoint of it
// would say the same.
func settles(err error) bool {
	var refused *handshake.RefusedError
	return errors.As(err, &refused)
}

func joinError(err error) error {
	var refused *handshake.RefusedError
	if errors.As(err, &refused) && refused.Reason == handshake.RefusedNoInvitation {
		return ErrNoInvitation
	}
	return err
}

// ask makes a full handshake bound to this connection and to joining, and sends
// the request with M3: then the peer is proven, and only the peer can read it.
func (a *Ask) ask(ctx context.Context, conn link.Conn) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, connect.HelloTime)
	defer cancel()
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	if _, err := st.Write(wire.JoinPreface()); err != nil {
		return nil, err
	}
	m3, keys, err := a.handshake(st, conn)
	if err != nil {
		return nil, err
	}
	defer keys.Erase()
	rec, err := seal(keys, a.Frame, a.Request)
	if err != nil {
		return nil, err
	}
	if _, err := st.Write(append(m3, rec...)); err != nil {
		return nil, err
	}
	_, answer, err := read(st, keys, wire.FrameJoined)
	return answer, err
}

// handshake reads up to M2 and returns M3, unsent.
func (a *Ask) handshake(st link.Stream, conn link.Conn) (m3 []byte, keys *record.Epoch, err error) {
	params, err := params(a.self(), 1)
	if err != nil {
		return nil, nil, err
	}
	machine, err := handshake.NewInitiator(config(a.self(), conn), a.Peer, nil, params)
	if err != nil {
		return nil, nil, err
	}
	defer machine.Close()
	out, res, err := connect.Exchange(st, machine)
	if err != nil {
		return nil, nil, err
	}
	defer res.Erase()
	keys, err = record.New(connect.RecordKeys(res))
	return out, keys, err
}

// self is this node in a handshake. Its clock is not asked: a date that it states
// or looks at would have to be right.
func (a *Ask) self() connect.Self { return connect.Self{Identity: a.Identity, Rand: rand.Reader} }

// nobody has no records: a join carries none but on its stream.
type nobody struct{}

// Records implements link.Handler.
func (nobody) Records(link.Path, [][]byte) {}

// Known implements link.Handler.
func (nobody) Known(wire.RecordID) bool { return false }

// Unreachable implements link.Handler.
func (nobody) Unreachable(netip.AddrPort) {}
