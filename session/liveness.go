package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// heartbeat sends one on the path in use.
func (s *Session) heartbeat(now time.Time) { s.paths.tell(now, s.paths.machine.Heartbeat) }

// moved takes note that records come by another path than before: the peer may
// have roamed. Nothing moves without a proof.
func (s *Session) moved(p link.Path, now time.Time) {
	x := &s.paths
	id := x.idOf(p)
	if d, ok := p.(link.Direct); ok && id == 0 {
		id = x.add(d, nil, paths.Heard, false, now)
	}
	x.tell(now, func(now time.Time) []paths.Action { return x.machine.Moved(now, id) })
}

// pathFrame takes a frame by which paths are proven and watched. It reports false
// for one that is malformed.
func (s *Session) pathFrame(p link.Path, f []byte, now time.Time) bool {
	x, m := &s.paths, s.paths.machine
	switch typ, _ := wire.FrameType(f); typ {
	case wire.FrameProbe:
		nonce, ok := wire.ParseProbe(f)
		if ok {
			s.sendOn(p, wire.AppendEcho(nil, wire.Echo{Nonce: nonce, Seen: p.Remote(), Widest: s.widest(p, f)}))
			x.tell(now, func(now time.Time) []paths.Action { return m.Probed(now, x.idOf(p)) })
		}
		return ok
	case wire.FrameEcho:
		e, ok := wire.ParseEcho(f)
		if ok && !s.ponged(p, e.Nonce, now) {
			x.tell(now, func(now time.Time) []paths.Action { return m.Echo(now, x.idOf(p), e) })
		}
		return ok
	case wire.FrameHeartbeat:
		nonce, ok := wire.ParseHeartbeat(f)
		if ok {
			s.sendOn(p, wire.AppendHeartbeat(nil, wire.FrameHeartbeatAck, nonce))
			x.tell(now, func(now time.Time) []paths.Action { return m.Beaten(now, x.idOf(p)) })
		}
		return ok
	}
	nonce, ok := wire.ParseHeartbeat(f)
	if ok {
		x.tell(now, func(now time.Time) []paths.Action { return m.Acknowledged(now, nonce) })
	}
	return ok
}

// widest is what an echo tells the peer of its records. Only a question about
// nothing else begins the count anew: the echo of a larger probe may get lost.
func (s *Session) widest(p link.Path, asked []byte) int {
	w := s.plane.Traffic().Heard(p.Kind())
	if len(asked) > wire.MinProbe {
		return w.Load()
	}
	return w.Take()
}
