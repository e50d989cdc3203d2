package connect

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/dial"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// lastTime is how long M3 may take to be written: it is small, and the stream idle.
const lastTime = time.Second

// An Initiator makes handshakes with one peer, one at a time: at most one M3
// leaves. It tries a resumption where it has a secret for it.
type Initiator struct {
	Self   Self
	Peer   did.DID
	Cached *handshake.PeerKeys // the peer's, to save a round trip; nil: they are asked for
	Resume handshake.Resume    // zero: a full handshake
	Keys   *did.KeySet         // the peer's, for Resume
	// Params are ours, but for the record id: each handshake draws its own.
	Params wire.Params
	// Spend is told that the secret of Resume is of no use any more.
	Spend func()
	// Prove puts the keys to use, unless the session has better ones: then nothing
	// leaves. After nil M3 is sent.
	Prove func(*Proof) error
}

// Shake runs a handshake on a connection. When the peer does not know the
// resumption secret, the full handshake follows on the same stream. After a
// decision no other connection would do better.
func (i *Initiator) Shake(ctx context.Context, d dial.Dialed) error {
	h, _ := d.Begun.(*hello)
	st, err := h.stream(ctx, d.Conn)
	if err != nil {
		return err
	}
	defer st.Close()
	deadline, _ := ctx.Deadline()
	st.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })
	defer stop()
	m3, p, err := i.converse(st, d.Conn, h)
	if err != nil {
		return err
	}
	defer p.Result.Erase()
	if err := i.Prove(p); err != nil {
		return decision{err}
	}
	stop()
	st.SetDeadline(time.Now().Add(lastTime))
	if _, err := st.Write(m3); err != nil {
		d.Conn.Close("the handshake could not be ended") // the session notices that
		return decision{err}
	}
	link.Proven(d.Conn)
	i.Self.fetched(i.Peer, p.fetched)
	return nil
}

// converse exchanges messages until M2 or M2r has been read. It returns M3 or M3r,
// unsent.
func (i *Initiator) converse(st link.Stream, conn link.Conn, h *hello) (m3 []byte, p *Proof, err error) {
	params, err := i.params()
	if err != nil {
		return nil, nil, err
	}
	conf := i.Self.Handshake(conn.Binding())
	p = &Proof{Resumed: true, Conn: conn}
	if err = handshake.ErrUnknownSecret; !i.Resume.Secret.IsZero() {
		m3, p.Result, err = i.resume(st, conf, params, h)
		if spent(err) {
			i.Spend()
		}
	}
	if errors.Is(err, handshake.ErrUnknownSecret) {
		p.Resumed, p.Forgotten = false, !i.Resume.Secret.IsZero()
		m3, err = i.full(st, conf, params, p)
	}
	return m3, p, err
}

// params are ours for one handshake.
func (i *Initiator) params() (p wire.Params, err error) {
	p = i.Params
	p.RecordID, err = i.Self.NewRecordID()
	return p, err
}

// full fills p in.
func (i *Initiator) full(st link.Stream, c handshake.Config, params wire.Params, p *Proof) (m3 []byte, err error) {
	machine, err := handshake.NewInitiator(c, i.Peer, i.known(c.Now), params)
	if err != nil {
		return nil, err
	}
	m3, p.Result, err = Exchange(st, machine)
	p.fetched = machine.Fetched()
	return m3, err
}

// resume returns M3r, unsent; ErrUnknownSecret means that the peer waits for a full
// handshake.
func (i *Initiator) resume(st link.Stream, c handshake.Config, p wire.Params, h *hello) (m3r []byte, res *handshake.Result, err error) {
	if h == nil {
		if h, err = i.hello(st, c, p); err != nil {
			return nil, nil, err
		}
	}
	return h.read(c.Binding)
}

// spent reports whether a failed resumption shows that its secret is of no use.
// Only silence does not.
func spent(err error) bool {
	return err != nil && FailureOf(err) != Silent || errors.Is(err, handshake.ErrDecrypt)
}

// A hello is an M1r that has been sent, before QUIC's handshake was complete or
// after. It is what a dial has begun.
type hello struct {
	st link.Stream
	i  *handshake.ShortInitiator
}

// Close ends the M1r of a connection that is not used.
func (h *hello) Close() { h.i.Close() }

// stream is where the handshake goes on, or begins.
func (h *hello) stream(ctx context.Context, conn link.Conn) (link.Stream, error) {
	if h != nil {
		return h.st, nil
	}
	return conn.OpenStream(ctx)
}

// hello sends an M1r.
func (i *Initiator) hello(st link.Stream, c handshake.Config, p wire.Params) (*hello, error) {
	machine, err := handshake.NewShortInitiator(c, i.Keys, handshake.Resumption(i.Resume.ID), i.Resume.Secret, p)
	if err != nil {
		return nil, err
	}
	m1r, err := machine.Start(nil)
	if err == nil {
		_, err = st.Write(m1r)
	}
	if err != nil {
		machine.Close()
		return nil, err
	}
	return &hello{st, machine}, nil
}

// read waits for M2r, which is bound to the connection, as resumption does.
func (h *hello) read(b handshake.Binding) (m3r []byte, res *handshake.Result, err error) {
	msg, err := ReadMessage(h.st)
	if err != nil {
		return nil, nil, err
	}
	h.i.Bind(b)
	return h.i.Read(nil, msg)
}

// earlyTime is how long an early dial may take before an ordinary one follows.
const earlyTime = 1500 * time.Millisecond

// DialEarly dials with M1r in the first flight (0-RTT) where that is possible.
// Without ok an ordinary dial has to follow.
func (i *Initiator) DialEarly(ctx context.Context, network link.Network, remote netip.AddrPort) (d dial.Dialed, ok bool) {
	dialler, can := network.(link.EarlyDialer)
	if !can || i.Resume.Secret.IsZero() {
		return d, false
	}
	ctx, cancel := context.WithTimeout(ctx, earlyTime)
	defer cancel()
	early, err := dialler.DialEarly(ctx, remote)
	if err != nil {
		return d, false
	}
	params, err := i.params()
	if err != nil {
		early.Close("no hello")
		return d, false
	}
	h, err := i.hello(early.Stream(), i.Self.Handshake(0, [32]byte{}), params)
	if err != nil {
		early.Close("no hello")
		return d, false
	}
	conn, taken, err := early.Complete(ctx)
	if err != nil {
		h.Close()
		early.Close("too late")
		return d, false
	}
	if !taken {
		h.Close()
		return dial.Dialed{Conn: conn}, true
	}
	return dial.Dialed{Conn: conn, Begun: h}, true
}
