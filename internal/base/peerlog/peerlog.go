// Package peerlog is the logger of one peer's session: each line has the peer's DID and
// the name that it has at that time, and the lines that the peer can cause are bounded.
package peerlog

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/lograte"
)

// Rate limits of the lines that one peer can cause, about paths and about changes of
// state: a peer that moves to and fro, or closes and comes back, fills no disk and
// pushes nothing else out of a log that is bounded.
const (
	moveBurst = 10
	// ChangeBurst is how many lines about changes of state a peer causes at once.
	ChangeBurst = 40
	lineEvery   = 10 * time.Second
)

// A Log is a session's logger. Move and Change are for one goroutine at a time.
type Log struct {
	*slog.Logger
	moves   lograte.Limiter // of the lines about paths
	changes lograte.Limiter // of those about changes of state and restarts of the peer
}

// New makes the logger of a peer, whose name may change.
func New(log *slog.Logger, peer string, name *atomic.Pointer[string]) *Log {
	return &Log{Logger: slog.New(nameHandler{log.With("peer", peer).Handler(), name}),
		moves: lograte.Limiter{Burst: moveBurst, Every: lineEvery}, changes: lograte.Limiter{Burst: ChangeBurst, Every: lineEvery}}
}

// Move reports whether another path is logged now, with how many were not.
func (l *Log) Move(now time.Time) (attrs []any, ok bool) { return allow(&l.moves, now) }

// Change reports whether a change of state is logged now, with how many were not.
func (l *Log) Change(now time.Time) (attrs []any, ok bool) { return allow(&l.changes, now) }

func allow(of *lograte.Limiter, now time.Time) (attrs []any, ok bool) {
	held, ok := of.Allow(now)
	if held > 0 {
		attrs = []any{"changes_not_logged", held}
	}
	return attrs, ok
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
