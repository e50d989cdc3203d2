package connect

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
)

// HelloTime is how long a stranger's connection may live without a proof, and a
// handshake of a peer may take.
const HelloTime = 5 * time.Second

var (
	// ErrEarlyTaken: another M1r of the session is being answered before QUIC's
	// handshake is complete; this one has to wait for its own.
	ErrEarlyTaken = errors.New("session: another M1r is answered early")

	errTooMany   = errors.New("session: too many handshakes at once, or from this prefix")
	errOtherPeer = errors.New("session: the connection belongs to another peer")
	errStreams   = errors.New("session: a second stream before the handshake was answered")
)

// A Config is what a Responder is made of.
type Config struct {
	Self   Self
	Logger *slog.Logger
	// Find is the session of a configured peer.
	Find func(peer did.DID) (Session, error)
	// Secret finds whom a resumption secret belongs to.
	Secret handshake.Lookup
	// Join answers a stream that begins with the preface of a join; nil: it is closed.
	Join func(ctx context.Context, o *Opening) error
}

// A Responder answers handshakes for one node. Its methods are called from many
// goroutines.
type Responder struct {
	c       Config
	prekeys *Prekeys
	limits  *Limits
	claims  *claimed
	callers *oldCallers
}

// NewResponder makes a node's first prekey. The caller runs Prekeys().Keep.
func NewResponder(c Config) (*Responder, error) {
	keys, err := newPrekeys(&c, time.Now())
	if err != nil {
		return nil, err
	}
	return &Responder{c: c, prekeys: keys, limits: NewLimits(perPrefixRate, perPrefixBurst), claims: newClaimed(), callers: newOldCallers()}, nil
}

// Prekeys are the node's.
func (r *Responder) Prekeys() *Prekeys { return r.prekeys }

// Forget drops what is known of the claims of a peer that is not configured any more.
func (r *Responder) Forget(peer did.DID) { r.claims.forget(peer) }

// Answering is how many handshakes of strangers have a place.
func (r *Responder) Answering() int {
	r.limits.mu.Lock()
	defer r.limits.mu.Unlock()
	return r.limits.halfOpen
}

// First answers the handshake that a new connection must begin with. It returns
// whose connection it is from then on.
func (r *Responder) First(ctx context.Context, conn link.Conn) (Session, error) {
	ctx, cancel := context.WithTimeout(ctx, HelloTime)
	defer cancel()
	st, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	o := &Opening{r: r, conn: conn, st: st, lone: watchLone(ctx, conn)}
	defer o.lone.end()
	err = o.run(ctx, nil)
	return o.s, err
}

// Later answers another handshake on a connection of s. head, the size of a
// handshake header, has been read of the stream already. Handshakes that a peer
// begins on its own connections wait for their turn, and the streams behind them.
func (r *Responder) Later(ctx context.Context, conn link.Conn, st link.Stream, head []byte, s Session) error {
	if err := r.claims.wait(ctx, s.DID()); err != nil {
		st.Close()
		return err
	}
	o := &Opening{r: r, conn: conn, st: st, s: s, own: true}
	return o.run(ctx, head)
}
