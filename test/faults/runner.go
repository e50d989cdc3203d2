package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Runner runs cases, one package after the other, and writes a line as soon
// as the last test of a case has ended.
type Runner struct {
	Root   string    // of the repository
	Out    io.Writer // lines
	Log    io.Writer // progress, and the output of what failed
	Filter func(Case) bool
	Full   bool // as the catalogue has it; else shortened

	dir      string
	outcomes map[Test]outcome
	waiting  []Case
	lines    []Line
}

// A batch is the tests of one binary.
type batch struct {
	pkg   string
	race  bool
	tests []Test
}

// Run runs all cases that the filter takes and returns their lines in the
// catalogue's order. The error is the harness's own, not a case's.
func (r *Runner) Run(ctx context.Context) ([]Line, error) {
	dir, err := os.MkdirTemp("", "l2tun-faults-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r.dir, r.outcomes = dir, make(map[Test]outcome)
	all := Catalogue()
	for _, c := range all {
		if r.Filter == nil || r.Filter(c) {
			r.waiting = append(r.waiting, c)
		}
	}
	for _, b := range batches(r.waiting) {
		if err := r.runBatch(ctx, b); err != nil {
			return r.lines, err
		}
	}
	if err := r.flush(true); err != nil {
		return r.lines, err
	}
	return InOrder(r.lines), nil
}

// InOrder sorts lines as the catalogue has their cases.
func InOrder(lines []Line) []Line {
	rank := make(map[string]int)
	for i, c := range Catalogue() {
		rank[c.ID] = i
	}
	slices.SortFunc(lines, func(a, b Line) int { return rank[a.ID] - rank[b.ID] })
	return lines
}

// batches groups tests by binary, each test once, in the order of the cases.
func batches(cases []Case) (all []*batch) {
	for _, c := range cases {
		for _, t := range c.By {
			i := slices.IndexFunc(all, func(b *batch) bool { return b.pkg == t.Pkg && b.race == c.Race })
			if i < 0 {
				i, all = len(all), append(all, &batch{pkg: t.Pkg, race: c.Race})
			}
			if !slices.Contains(all[i].tests, t) {
				all[i].tests = append(all[i].tests, t)
			}
		}
	}
	return all
}

// runBatch builds a package's tests and runs them. Those that a crash of one
// took with it are run again, without it.
func (r *Runner) runBatch(ctx context.Context, b *batch) error {
	start := time.Now()
	binary := filepath.Join(r.dir, strings.ReplaceAll(b.pkg, "/", "_")+fmt.Sprint(b.race)+".test")
	args := []string{"test", "-c", "-tags", "faults", "-vet=off", "-o", binary}
	if b.race {
		args = append(args, "-race")
	}
	build := exec.CommandContext(ctx, "go", append(args, "./"+b.pkg)...)
	build.Dir, build.Stdout, build.Stderr = r.Root, r.Log, r.Log
	if err := build.Run(); err != nil {
		return fmt.Errorf("faults: build the tests of %s: %w", b.pkg, err)
	}
	fmt.Fprintf(r.Log, "== %s: %d tests, built in %.0f s\n", b.pkg, len(b.tests), time.Since(start).Seconds())
	left := slices.Clone(b.tests)
	for len(left) > 0 {
		if err := r.runTests(ctx, b.pkg, binary, left); err != nil {
			return err
		}
		before := len(left)
		left = slices.DeleteFunc(left, func(t Test) bool { return r.outcomes[t].ended != "" })
		if len(left) == before { // a crash before the first test ended: it is the first one's
			r.outcomes[left[0]] = outcome{ended: "fail", last: "the test program ended before the test did"}
			left = left[1:]
		}
	}
	return r.flush(false)
}

// runTests runs tests of one binary in one process and takes what they say.
func (r *Runner) runTests(ctx context.Context, pkg, binary string, tests []Test) error {
	names := make([]string, len(tests))
	for i, t := range tests {
		names[i] = t.Name
	}
	limit := "40m"
	if r.Full {
		limit = "4h"
	}
	c := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", binary, "-test.v=test2json", "-test.timeout", limit,
		"-test.run", "^("+strings.Join(names, "|")+")$")
	c.Dir, c.Stderr = filepath.Join(r.Root, pkg), r.Log
	c.Env = append(os.Environ(), "L2TUN_FULL="+map[bool]string{true: "1", false: "0"}[r.Full])
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	listener := newListener(r, pkg, tests)
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := listener.line(line); err != nil {
				return err
			}
		}
		if err != nil {
			break
		}
	}
	err = c.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || !exit.Exited()) {
		return fmt.Errorf("faults: %s: %w", pkg, err)
	}
	return ctx.Err()
}

// flush writes the lines of cases whose tests have all ended; all of them if
// nothing more comes.
func (r *Runner) flush(last bool) error {
	var keep []Case
	for _, c := range r.waiting {
		if !last && slices.ContainsFunc(c.By, func(t Test) bool { return r.outcomes[t].ended == "" }) {
			keep = append(keep, c)
			continue
		}
		l := c.line(r.outcomes)
		r.lines = append(r.lines, l)
		if err := l.Write(r.Out); err != nil {
			return err
		}
	}
	r.waiting = keep
	return nil
}

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
		o.ended, o.took = e.Action, time.Duration(e.Elapsed*float64(time.Second))
		o.last = l.said(top)
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
