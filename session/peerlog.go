package session

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/lograte"
)

// A peerLog is a session's logger. Each line has the peer's DID and its name as
// it is at that time.
type peerLog struct {
	*slog.Logger
	moves lograte.Limiter // of the lines about paths; owned by the loop
	turns lograte.Limiter // of those about changes of state and restarts of the peer; the loop's
}

func newPeerLog(log *slog.Logger, peer did.DID, name *atomic.Pointer[string]) *peerLog {
	return &peerLog{Logger: slog.New(nameHandler{log.With("peer", peer.Short()).Handler(), name}), moves: lograte.Limiter{Burst: lineBurst, Every: lineEvery}, turns: lograte.Limiter{Burst: turnBurst, Every: lineEvery}}
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
	held, ok := l.turns.Allow(now)
	if held > 0 {
		attrs = []any{"changes_not_logged", held}
	}
	return attrs, ok
}
