// Package logs makes the program's logger: slog as text or JSON, of a level, and
// in the form that the journal wants when standard error is its stream: each line
// begins with its priority (<3> to <7>, sd-daemon(3)), and has no time, which
// the journal notes itself.
package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Options say how to log.
type Options struct {
	Level   string // debug, info, warn or error
	Format  string // text or json
	Journal bool   // lines with a priority and without a time
}

// New returns a logger to w; each record is one Write.
func New(w io.Writer, o Options) (*slog.Logger, error) {
	var level slog.Level
	if level.UnmarshalText([]byte(o.Level)) != nil || strings.ContainsAny(o.Level, "+-") {
		return nil, ErrLevel
	}
	opts := &slog.HandlerOptions{Level: level}
	out := &prefixed{w: w}
	if o.Journal {
		opts.ReplaceAttr = withoutTime
		w = out
	}
	var h slog.Handler
	switch o.Format {
	case "text":
		h = slog.NewTextHandler(w, opts)
	case "json":
		h = slog.NewJSONHandler(w, opts)
	default:
		return nil, ErrFormat
	}
	if o.Journal {
		h = &journal{h, out}
	}
	return slog.New(h), nil
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// ToJournal reports whether f is the stream that the journal gave this process,
// by JOURNAL_STREAM ("device:inode"): the variable alone is inherited by children
// whose output goes elsewhere.
func ToJournal(f *os.File, environ func(string) string) bool {
	device, inode, ok := strings.Cut(environ("JOURNAL_STREAM"), ":")
	if !ok || f == nil {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && strconv.FormatUint(uint64(st.Dev), 10) == device && strconv.FormatUint(st.Ino, 10) == inode
}

// A journal sets the priority of the line that its handler then writes.
type journal struct {
	slog.Handler
	out *prefixed
}

func (j *journal) Handle(ctx context.Context, r slog.Record) error {
	j.out.mu.Lock()
	defer j.out.mu.Unlock()
	j.out.prefix = priority(r.Level)
	return j.Handler.Handle(ctx, r)
}

func (j *journal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journal{j.Handler.WithAttrs(attrs), j.out}
}

func (j *journal) WithGroup(name string) slog.Handler {
	return &journal{j.Handler.WithGroup(name), j.out}
}

// priority is syslog's: 3 error, 4 warning, 6 info, 7 debug.
func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}

// prefixed writes a prefix before each line, both in one call.
type prefixed struct {
	mu     sync.Mutex // held by Handle, around Write
	prefix string
	w      io.Writer
	buf    bytes.Buffer
}

func (p *prefixed) Write(b []byte) (int, error) {
	p.buf.Reset()
	p.buf.WriteString(p.prefix)
	p.buf.Write(b)
	if _, err := p.w.Write(p.buf.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}
