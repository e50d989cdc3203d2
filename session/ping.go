package session

import (
	"context"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// pingSize is the plaintext of a ping in bytes: above that of the smallest probe,
// whose echo also begins the peer's count of large records anew (narrow.go).
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
// same path (SPEC 6.10). The error is ErrNotEstablished when no path is in use,
// ErrClosed, or the context's.
func (s *Session) Ping(ctx context.Context) (Pong, error) {
	p := &ping{answer: make(chan Pong, 1)}
	if err := s.call(func(now time.Time) error { return s.ping(p, now) }); err != nil {
		return Pong{}, err
	}
	select {
	case pong := <-p.answer:
		return pong, nil
	case <-s.done:
		return Pong{}, ErrClosed
	case <-ctx.Done():
		s.box.Post(func(time.Time) { s.forgetPing(p) })
		return Pong{}, ctx.Err()
	}
}

func (s *Session) ping(p *ping, now time.Time) error {
	if s.paths.using == nil || s.keys.InUse() == nil {
		return ErrNotEstablished
	}
	if len(s.pings) >= maxPings {
		s.pings = s.pings[1:] // its caller gives up at its own time
	}
	p.nonce, p.path, p.at = s.paths.machine.NewNonce(), s.paths.using.Path, now
	p.pong = Pong{Link: s.linkName(), Carrier: p.path.Kind().String(), Local: p.path.Local(), Remote: p.path.Remote(),
		Epoch: s.keys.Number()}
	s.pings = append(s.pings, p)
	return frames.SendWhole(s.keys.InUse(), p.path, p.path.Kind().Space, wire.AppendProbe(nil, p.nonce, pingSize))
}

// ponged takes an echo that somebody waits for. One that came by another path
// answers nothing.
func (s *Session) ponged(p link.Path, nonce uint64, now time.Time) bool {
	for _, x := range s.pings {
		if x.nonce == nonce && x.path == p {
			s.forgetPing(x)
			x.pong.RTT = now.Sub(x.at)
			x.answer <- x.pong
			return true
		}
	}
	return false
}

func (s *Session) forgetPing(p *ping) {
	for i, x := range s.pings {
		if x == p {
			s.pings = append(s.pings[:i:i], s.pings[i+1:]...)
			return
		}
	}
}
