package session

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// pingSize is the plaintext of a ping in bytes: above that of the smallest probe,
// whose echo also begins the peer's count of large records anew (pathset).
const pingSize = wire.MinProbe + 8

// maxPings bounds the pings of one session that wait for their echo.
const maxPings = 64

// A Pong says how a ping travelled.
type Pong struct {
	Link    string // quic or utcp
	Carrier string
	Local   netip.AddrPort
	Remote  netip.AddrPort
	Epoch   uint32
	RTT     time.Duration // from the loop that sent it back to the loop
}

// A ping is a probe that a caller waits for. Owned by the loop.
type ping struct {
	nonce  uint64
	path   link.Path
	at     time.Time
	pong   Pong
	answer chan Pong
}

// Ping sends one small probe on the path in use and waits for its echo on the
// same path (SPEC 6.10). The error is ErrNotEstablished when no path is in use, its kind
// ErrAsleep when the session slept and is woken by this call, ErrClosed, or the context's.
func (s *Session) Ping(ctx context.Context) (Pong, error) {
	p := &ping{answer: make(chan Pong, 1)}
	var ended chan struct{}
	if err := s.call(func(now time.Time) error {
		ended = s.loop.ended
		return s.loop.pings.send(s.loop, p, now)
	}); err != nil {
		return Pong{}, err
	}
	select {
	case pong := <-p.answer:
		return pong, nil
	case <-ended:
		return Pong{}, ErrClosed
	case <-ctx.Done():
		s.box.Tell(func(time.Time) { s.loop.pings.forget(p) })
		return Pong{}, ctx.Err()
	}
}

// pings are those that wait for their echo. Owned by the loop.
type pings struct{ waiting []*ping }

// send sends a ping on the path in use.
func (x *pings) send(l *loop, p *ping, now time.Time) error {
	if l.slumber.Wanted(now) {
		return ErrAsleep
	}
	using, e := l.paths.Using(), l.keys.InUse()
	if using == nil || e == nil {
		return ErrNotEstablished
	}
	if len(x.waiting) >= maxPings {
		x.waiting = x.waiting[1:] // its caller gives up at its own time
	}
	p.nonce, p.path, p.at = l.paths.NewNonce(), using, now
	p.pong = Pong{Link: l.paths.Link(), Carrier: p.path.Kind().String(), Local: p.path.Local(), Remote: p.path.Remote(),
		Epoch: l.keys.Number()}
	x.waiting = append(x.waiting, p)
	return frames.SendWhole(e, p.path, p.path.Kind().Space, wire.AppendProbe(nil, p.nonce, pingSize))
}

// echo takes an echo that somebody waits for. One that came by another path answers
// nothing.
func (x *pings) echo(from link.Path, nonce uint64, now time.Time) bool {
	i := slices.IndexFunc(x.waiting, func(p *ping) bool { return p.nonce == nonce && p.path == from })
	if i < 0 {
		return false
	}
	p := x.waiting[i]
	x.forget(p)
	p.pong.RTT = now.Sub(p.at)
	p.answer <- p.pong
	return true
}

// forget drops a ping whose caller does not wait any more.
func (x *pings) forget(p *ping) {
	x.waiting = slices.DeleteFunc(x.waiting, func(other *ping) bool { return other == p })
}
