package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// ErrNoInvitation: the node asked, and nobody else, says that it has no
// invitation open.
var ErrNoInvitation = errors.New("session: no invitation is open")

// joinMTU is stated in a join's parameters and used for nothing.
const joinMTU = 1280

var errJoin = errors.New("session: malformed join")

// An Ask is one request to a node that need not know us, SPEC 6.11.
type Ask struct {
	Identity  *did.Identity
	Network   link.Network // used for this alone; the caller closes it
	Peer      did.DID      // who must answer
	Endpoints []string     // HOST:PORT, tried a little after each other
	Request   []byte       // at most wire.MaxJoin bytes; only Peer can read it
}

// Join asks and returns the answer, which is the peer's own: both ends have
// proven their DIDs when the request leaves. Nothing lasts of it at either end
// but what the answer says. Errors: ErrNoInvitation; those of package handshake;
// the network's. Of several endpoints the most telling error counts.
func Join(ctx context.Context, a Ask) ([]byte, error) {
	if len(a.Request) > wire.MaxJoin {
		return nil, errJoin
	}
	a.Network.Handle(newPlainPlanes())
	return a.race(ctx)
}

// race dials every endpoint over QUIC, and μTCP a second later, and asks over the
// connections as they come, one at a time.
func (a *Ask) race(ctx context.Context) (answer []byte, err error) {
	r := &dial.Race{Network: a.Network, Links: []wire.Link{wire.LinkQUIC, wire.LinkUTCP}}
	for d := range r.Connections(ctx, a.Endpoints, nil) {
		if d.Err == nil {
			answer, d.Err = a.ask(ctx, d.Conn)
			d.Err = checkVersion(ctx, a.Network, d.Conn, d.Err)
			d.Close("joined")
			if d.Err == nil || settles(d.Err) {
				return answer, joinError(d.Err)
			}
		}
		err = moreTelling(err, d.Err)
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
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
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
	rec, err := sealJoin(keys, wire.FrameJoin, a.Request)
	if err != nil {
		return nil, err
	}
	if _, err := st.Write(append(m3, rec...)); err != nil {
		return nil, err
	}
	return readJoin(st, keys, wire.FrameJoined)
}

// handshake reads up to M2 and returns M3, unsent.
func (a *Ask) handshake(st link.Stream, conn link.Conn) (m3 []byte, keys *record.Epoch, err error) {
	params, err := joinParams(rand.Reader, 1)
	if err != nil {
		return nil, nil, err
	}
	machine, err := handshake.NewInitiator(joinConfig(a.Identity, rand.Reader, conn), a.Peer, nil, params)
	if err != nil {
		return nil, nil, err
	}
	defer machine.Close()
	out, res, err := exchange(st, machine)
	if err != nil {
		return nil, nil, err
	}
	defer res.Erase()
	keys, err = record.New(keysOf(res))
	return out, keys, err
}

// joinConfig binds a handshake to conn and to joining: no message of it fits a
// session's handshake, nor the other way round.
func joinConfig(id *did.Identity, random io.Reader, conn link.Conn) handshake.Config {
	kind, value := conn.Binding()
	return handshake.Config{Identity: id, Rand: random, Binding: handshake.Binding{Kind: kind | wire.BindingJoin, Value: value}}
}

// joinParams are those of a handshake whose keys seal one exchange.
func joinParams(random io.Reader, epoch uint32) (p wire.Params, err error) {
	p = wire.Params{MTU: joinMTU, Epoch: epoch}
	if p.RecordID, err = newRecordID(random); err == nil {
		p.Incarnation, err = randomUint64(random)
	}
	return p, err
}

// sealJoin is a frame in a record behind its length, as on the message channel.
func sealJoin(keys *record.Epoch, frame byte, body []byte) ([]byte, error) {
	if len(body) > wire.MaxJoin {
		return nil, errJoin
	}
	return keys.SealFramed(append([]byte{frame}, body...))
}

// readJoin reads and opens the one record of the other end.
func readJoin(r io.Reader, keys *record.Epoch, frame byte) ([]byte, error) {
	rec, err := record.ReadFramed(r, wire.MaxJoinRecord)
	if errors.Is(err, record.ErrLength) {
		return nil, fmt.Errorf("%w: %w", errJoin, err)
	}
	if err != nil {
		return nil, err
	}
	plain, verdict := keys.OpenTo(make([]byte, 0, len(rec)), rec)
	if verdict != record.Opened || plain[0] != frame {
		return nil, fmt.Errorf("%w: it does not open", errJoin)
	}
	return plain[1:], nil
}
