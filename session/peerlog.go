package session

import (
	"cmp"
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// A peerLog is a session's logger. Each line has the peer's DID and its name as
// it is at that time.
type peerLog struct {
	*slog.Logger
	name  *atomic.Pointer[string]
	moves lineLimit // of the lines about paths; owned by the loop
	turns lineLimit // of those about changes of state and restarts of the peer; the loop's
}

func newPeerLog(log *slog.Logger, p Peer) *peerLog {
	name := new(atomic.Pointer[string])
	name.Store(&p.Name)
	return &peerLog{Logger: slog.New(nameHandler{log.With("peer", p.DID.Short()).Handler(), name}), name: name, turns: lineLimit{most: turnBurst}}
}

// A nameHandler adds the name in front of a line's attributes.
type nameHandler struct {
	slog.Handler
	name *atomic.Pointer[string]
}

// Handle implements slog.Handler.
func (h nameHandler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	out.AddAttrs(slog.String("name", *h.name.Load()))
	r.Attrs(func(a slog.Attr) bool { out.AddAttrs(a); return true })
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h nameHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return nameHandler{h.Handler.WithAttrs(attrs), h.name}
}

// WithGroup implements slog.Handler.
func (h nameHandler) WithGroup(group string) slog.Handler {
	return nameHandler{h.Handler.WithGroup(group), h.name}
}

// Rate limits of the lines that one peer can cause, about paths and about changes of
// state: a peer that moves to and fro, or closes and comes back, fills no disk and
// pushes nothing else out of a log that is bounded.
const (
	lineBurst = 10
	turnBurst = 40
	lineEvery = 10 * time.Second
)

// turn reports whether a change of state is logged now, with how many were not.
func (l *peerLog) turn(now time.Time) (attrs []any, ok bool) {
	held, ok := l.turns.take(now)
	if held > 0 {
		attrs = []any{"changes_not_logged", held}
	}
	return attrs, ok
}

// A lineLimit is a token bucket for log lines that counts what it holds back.
type lineLimit struct {
	most int       // tokens; 0: lineBurst
	used int       // tokens
	at   time.Time // when used was last right
	held uint64    // lines held back since the last one
}

// take reports whether a line may be written now, and how many were held back
// before it.
func (l *lineLimit) take(now time.Time) (held uint64, ok bool) {
	if back := int(now.Sub(l.at) / lineEvery); back > 0 {
		l.used = max(0, l.used-back)
		l.at = l.at.Add(time.Duration(back) * lineEvery)
		if l.used == 0 {
			l.at = now
		}
	}
	if l.used >= cmp.Or(l.most, lineBurst) {
		l.held++
		return 0, false
	}
	l.used++
	held, l.held = l.held, 0
	return held, true
}

// Update gives a session's peer another name, and says whether its session is
// established without being asked. Keys, path and counters stay.
func (s *Session) Update(name string, keep bool) error {
	return s.call(func(now time.Time) error {
		s.log.name.Store(&name)
		if keep && !s.peer.Keep && (s.state == Idle || s.state == Failed) {
			s.retry.soon(now)
		}
		s.peer.Keep = keep
		return nil
	})
}
