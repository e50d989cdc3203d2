package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// moved takes note that records come by another path than before: the peer may
// have roamed. Nothing moves without a proof.
func (x *pathing) moved(p link.Path, now time.Time) {
	id := x.idOf(p)
	if d, ok := p.(link.Direct); ok && id == 0 {
		id = x.add(d, nil, paths.Heard, false, now)
	}
	x.tell(now, func(now time.Time) []paths.Action { return x.machine.Moved(now, id) })
}

// frame takes a frame by which paths are proven and watched. It reports false
// for one that is malformed.
func (x *pathing) frame(p link.Path, f []byte, now time.Time) bool {
	l, m := x.l, x.machine
	switch typ, _ := wire.FrameType(f); typ {
	case wire.FrameProbe:
		nonce, ok := wire.ParseProbe(f)
		if ok {
			l.sendOn(p, wire.AppendEcho(nil, wire.Echo{Nonce: nonce, Seen: p.Remote(), Widest: x.widest(p, f)}))
			x.tell(now, func(now time.Time) []paths.Action { return m.Probed(now, x.idOf(p)) })
		}
		return ok
	case wire.FrameEcho:
		e, ok := wire.ParseEcho(f)
		if ok && !l.pings.echo(p, e.Nonce, now) {
			x.tell(now, func(now time.Time) []paths.Action { return m.Echo(now, x.idOf(p), e) })
		}
		return ok
	case wire.FrameHeartbeat:
		nonce, ok := wire.ParseHeartbeat(f)
		if ok {
			l.sendOn(p, wire.AppendHeartbeat(nil, wire.FrameHeartbeatAck, nonce))
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
func (x *pathing) widest(p link.Path, asked []byte) int {
	w := x.l.plane.Traffic().Heard(p.Kind())
	if len(asked) > wire.MinProbe {
		return w.Load()
	}
	return w.Take()
}

// replyPath is where the answer to a message of a rotation goes: back on its path,
// which the peer uses while ours may be broken. The message may be a replay, so only
// a proven path counts.
func (x *pathing) replyPath(asked link.Path) link.Path {
	if x.machine.Proves(x.idOf(asked)) {
		return asked
	}
	return x.l.path()
}
