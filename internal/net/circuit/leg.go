package circuit

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// movedFor is how long datagrams are still taken by the path that a leg had before:
// they were on the way, or the hub has not moved yet.
const movedFor = 10 * time.Second

// A Leg is the way to a hub that its circuits share: the path in use of the session
// with it. The zero Leg has none. It is never a circuit, so that there are no chains.
type Leg struct{ now atomic.Pointer[way] }

// A way is what a leg leads by. It does not change.
type way struct {
	path    link.Path
	forward link.Forwarder // the same; nil: it carries no circuit datagrams
	kind    *link.Kind
	remote  netip.AddrPort
	before  *way      // nil: none
	until   time.Time // when before ends
}

// Set makes p the path of the leg; nil: none. One goroutine at a time calls it.
func (l *Leg) Set(p link.Path) {
	old := l.now.Load()
	if old != nil && old.path == p || old == nil && p == nil {
		return
	}
	w := new(way)
	if p != nil && !p.Kind().Relayed {
		w.path, w.kind, w.remote = p, p.Kind(), p.Remote()
		w.forward, _ = p.(link.Forwarder)
	}
	switch {
	case old == nil:
	case old.path == nil: // none in between
		w.before, w.until = old.before, old.until
	default:
		w.before, w.until = &way{path: old.path, kind: old.kind, remote: old.remote}, time.Now().Add(movedFor)
	}
	l.now.Store(w)
}

// Path is the path of the leg; nil: none.
func (l *Leg) Path() link.Path {
	if w := l.now.Load(); w != nil {
		return w.path
	}
	return nil
}

// takes reports whether what came by a path may have come from the hub.
func (l *Leg) takes(p link.Path) bool {
	w := l.now.Load()
	return w != nil && (w.is(p) || w.before != nil && w.before.is(p) && time.Now().Before(w.until))
}

// is reports whether a path leads where the way does. Of connections there may be
// several between two places.
func (w *way) is(p link.Path) bool {
	return w.path != nil && (w.path == p || !w.kind.Conn && w.kind == p.Kind() && w.remote == p.Remote())
}
