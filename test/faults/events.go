package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// An event is a line of test2json.
type event struct {
	Action, Test, Output, Key, Value string
	Elapsed                          float64
}

// A listener sorts the events of one process to its tests.
type listener struct {
	r      *Runner
	pkg    string
	tests  map[string]Test
	output map[string][]string
}

func newListener(r *Runner, pkg string, tests []Test) *listener {
	l := &listener{r: r, pkg: pkg, tests: make(map[string]Test), output: make(map[string][]string)}
	for _, t := range tests {
		l.tests[t.Name] = t
	}
	return l
}

// listen takes events until the end of what go tool test2json prints.
func (l *listener) listen(from io.Reader) error {
	for lines := bufio.NewReader(from); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := l.line(line); err != nil {
				return err
			}
		}
		if err != nil {
			return nil // the process has ended, and its exit code says how
		}
	}
}

// line takes an event; subtests count as their test.
func (l *listener) line(line []byte) error {
	var e event
	if json.Unmarshal(line, &e) != nil {
		_, err := l.r.Log.Write(line)
		return err
	}
	top, _, sub := strings.Cut(e.Test, "/")
	t, ours := l.tests[top]
	if !ours {
		return nil
	}
	o := l.r.outcomes[t]
	switch e.Action {
	case "output":
		l.output[top] = append(l.output[top], e.Output)
	case "attr":
		var f figure
		if e.Key == attrKey && json.Unmarshal([]byte(e.Value), &f) == nil {
			o.figures = append(o.figures, f)
		}
	case "pass", "fail", "skip":
		if sub {
			break
		}
		if o.ended == "" || e.Action == "fail" { // one that ran in two ways failed if it failed in one
			o.ended, o.took = e.Action, time.Duration(e.Elapsed*float64(time.Second))
			o.last = l.said(top)
		}
		if e.Action == "fail" {
			fmt.Fprint(l.r.Log, strings.Join(l.output[top], ""))
		}
		fmt.Fprintf(l.r.Log, "%s %s (%.1f s)\n", e.Action, t, e.Elapsed)
		delete(l.output, top)
	}
	l.r.outcomes[t] = o
	if o.ended != "" {
		return l.r.flush(false)
	}
	return nil
}

// said is what a test printed by itself, cut to what fits a line.
func (l *listener) said(test string) string {
	var own []string
	for _, s := range l.output[test] {
		s = strings.TrimSpace(s)
		if _, text, ok := strings.Cut(s, "_test.go:"); ok {
			_, text, _ = strings.Cut(text, ": ")
			own = append(own, text)
		}
	}
	s := oneLine(strings.Join(own, "; "))
	return s[max(0, len(s)-300):]
}
