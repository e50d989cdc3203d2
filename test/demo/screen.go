package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/fatih/color"
)

// A screen writes the story, line by line, from several goroutines.
type screen struct {
	start time.Time

	mu                       sync.Mutex
	w                        io.Writer
	bold, green, yellow, red *color.Color
}

func newScreen(o Options) *screen {
	s := &screen{start: time.Now(), w: o.Out, bold: color.New(color.Bold), green: color.New(color.FgGreen),
		yellow: color.New(color.FgYellow), red: color.New(color.FgRed)}
	for _, c := range []*color.Color{s.bold, s.green, s.yellow, s.red} {
		if o.Color {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
	}
	return s
}

func (s *screen) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.w, format+"\n", args...)
}

// head begins a chapter.
func (s *screen) head(text string) { s.line("\n%s", s.bold.Sprint(text)) }

// shell shows what a user would have typed on a host.
func (s *screen) shell(host, command string) { s.line("%-6s $ %s", host, s.bold.Sprint(command)) }

// event shows what happened on a host, and when.
func (s *screen) event(at time.Time, host, format string, args ...any) {
	s.line("%7.3f s  %-6s %s", at.Sub(s.start).Seconds(), host, fmt.Sprintf(format, args...))
}

// row is a line of the summary; a row without a name goes on with the one above.
func (s *screen) row(name, format string, args ...any) {
	s.line("  %s %s", s.bold.Sprintf("%-10s", name), fmt.Sprintf(format, args...))
}

// state is a state in its colour.
func (s *screen) state(name string) string {
	switch name {
	case "established", "rotating":
		return s.green.Sprint(name)
	case "failed":
		return s.red.Sprint(name)
	}
	return s.yellow.Sprint(name)
}
