package faults

import (
	"context"
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
	// Ran is what `go test -json` printed of this tree: a test that passed or failed
	// there is not run again, unless its case wants the race detector, under which
	// it may not have run.
	Ran []io.Reader

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
	for _, c := range Catalogue() {
		if r.Filter == nil || r.Filter(c) {
			r.waiting = append(r.waiting, c)
		}
	}
	for _, ran := range r.Ran {
		if err := r.take(ran); err != nil {
			return r.lines, err
		}
	}
	for _, b := range batches(r.waiting, r.outcomes) {
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

// batches groups tests by binary, each test once, in the order of the cases. Tests
// that have ended are left out.
func batches(cases []Case, ended map[Test]outcome) (all []*batch) {
	for _, c := range cases {
		for _, t := range c.By {
			t = c.key(t)
			if ended[t].ended != "" {
				continue
			}
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
	if b.race {
		build.Env = append(os.Environ(), "CGO_ENABLED=1") // which the race detector needs
	}
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
	if err := newListener(r, pkg, tests).listen(out); err != nil {
		return err
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
		if !last && slices.ContainsFunc(c.By, func(t Test) bool { return r.outcomes[c.key(t)].ended == "" }) {
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
