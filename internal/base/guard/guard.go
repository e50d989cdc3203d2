// Package guard keeps a defect that something received has met from ending the
// process. Whoever handles what a peer or a stranger sent recovers there, ends
// what is that sender's, and goes on; Note says in the log where it was, once for
// each place. The log has functions and lines, but neither the arguments of calls
// nor what was received.
//
// A defect that is met without a sender, at start or in what the node does by
// itself, is not caught: its process ends, and the service manager starts another.
package guard

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
)

const (
	maxPlaces = 32  // that are logged
	maxFrames = 32  // of each
	maxText   = 200 // bytes of what a panic says
)

// A Guard logs recovered panics. The nil Guard logs nothing. Safe for concurrent use.
type Guard struct {
	log  *slog.Logger
	mu   sync.Mutex
	seen map[string]bool // innermost frames of ours
}

// New returns a Guard that writes to log.
func New(log *slog.Logger) *Guard { return &Guard{log: log, seen: make(map[string]bool)} }

// Do runs f and reports whether it came to its end.
func (g *Guard) Do(where string, f func()) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			g.Note(where, v)
			ok = false
		}
	}()
	f()
	return true
}

// Note logs a panic of value v, which a deferred function has recovered; it is
// called from that function, so that the stack is still there.
func (g *Guard) Note(where string, v any) {
	if g == nil {
		return
	}
	stack := frames()
	if !g.first(stack) {
		return
	}
	g.log.Error("a defect of l2tun, recovered; please report it", "in", where, "panic", text(v), "stack", strings.Join(stack, " < "))
}

// first reports whether a place has not been logged, and there is room for one more.
func (g *Guard) first(stack []string) bool {
	place := ""
	if len(stack) > 0 {
		place = stack[0]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen[place] || len(g.seen) == maxPlaces {
		return false
	}
	g.seen[place] = true
	return true
}

// text is what a panic says, if it can be no more than a sentence of the program:
// the runtime's errors and strings. Of other values their type.
func text(v any) string {
	switch v := v.(type) {
	case runtime.Error:
		return v.Error()
	case string:
		return strings.ToValidUTF8(v[:min(len(v), maxText)], "")
	}
	return fmt.Sprintf("a %T", v)
}

// frames are the functions under way when the panic began, the innermost first.
func frames() (out []string) {
	pcs := make([]uintptr, 2*maxFrames)
	all := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	panicked := false
	for {
		f, more := all.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked, out = true, nil
		case panicked && !strings.HasPrefix(f.Function, "runtime.") && len(out) < maxFrames:
			out = append(out, fmt.Sprintf("%s:%d", f.Function[strings.LastIndexByte(f.Function, '/')+1:], f.Line))
		}
		if !more {
			return out
		}
	}
}
