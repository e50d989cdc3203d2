package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// An event is a line of test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// A pkg is what is known of a package whose tests run.
type pkg struct {
	tests  map[string]*test
	output strings.Builder // outside of any test
}

// A test has the action with which it ended, "" as long as it runs.
type test struct {
	ended  string
	output strings.Builder
}

// A summary turns events into text and results. A package is reported when it
// ends. The first write error ends up in err.
type summary struct {
	out, results io.Writer
	pkgs         map[string]*pkg
	err          error
}

func newSummary(out, results io.Writer) *summary {
	return &summary{out: out, results: results, pkgs: make(map[string]*pkg)}
}

// line takes a line of input. What is not an event is shown as it is.
func (s *summary) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		s.printf("%s", line)
		return
	}
	switch {
	case e.Action == "build-output":
		s.printf("%s", e.Output)
	case e.Package == "":
	case e.Test == "":
		s.packageEvent(e)
	default:
		s.testEvent(e)
	}
}

func (s *summary) packageEvent(e event) {
	p := s.pkg(e.Package)
	switch e.Action {
	case "output":
		p.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		s.report(e.Package, e.Action, e.Elapsed)
	}
}

func (s *summary) testEvent(e event) {
	t := s.pkg(e.Package).test(e.Test)
	switch e.Action {
	case "output":
		t.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		t.ended = e.Action
	}
}

func (s *summary) pkg(name string) *pkg {
	if s.pkgs[name] == nil {
		s.pkgs[name] = &pkg{tests: make(map[string]*test)}
	}
	return s.pkgs[name]
}

func (p *pkg) test(name string) *test {
	if p.tests[name] == nil {
		p.tests[name] = &test{}
	}
	return p.tests[name]
}

// report shows a package that has ended and writes its results. A package that
// failed without a failed test (it did not build, it leaked) counts as one.
func (s *summary) report(name, ended string, seconds float64) {
	p := s.pkg(name)
	delete(s.pkgs, name)
	count := make(map[string]int)
	shown := make(map[string]bool) // parents
	for _, t := range p.counted() {
		ended := p.tests[t].result()
		count[ended]++
		s.result(ended, name+" "+t)
		s.show(name, t, p.tests[t])
		if ended == "fail" {
			s.showAbove(name, t, p, shown)
		}
	}
	if ended == "fail" && count["fail"] == 0 {
		count["fail"]++
		s.result("fail", name)
		s.printf("%s", p.output.String())
	}
	if ended != "skip" { // no test files
		s.printf("%-4s %s: %d passed, %d failed, %d skipped (%.1fs)\n",
			ended, name, count["pass"], count["fail"], count["skip"], seconds)
	}
}

// counted lists the tests that count: those without subtests, and those that
// failed although none of their subtests did.
func (p *pkg) counted() (names []string) {
	parent, failing := make(map[string]bool), make(map[string]bool)
	for name, t := range p.tests {
		for up := above(name); up != ""; up = above(up) {
			parent[up] = true
			failing[up] = failing[up] || t.result() == "fail"
		}
	}
	for name, t := range p.tests {
		if !parent[name] || t.result() == "fail" && !failing[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// above names the test that a subtest belongs to, "" for none.
func above(name string) string { return name[:max(strings.LastIndex(name, "/"), 0)] }

// result is how a test ended; one that never did has failed.
func (t *test) result() string {
	if t.ended == "" {
		return "fail"
	}
	return t.ended
}

// showAbove prints, once, what the parents of a failed test have to say: what helpers
// report to a parent, and the only sentence there is when they end the subtest by it.
func (s *summary) showAbove(pkg, name string, p *pkg, shown map[string]bool) {
	for up := above(name); up != "" && !shown[up]; up = above(up) {
		shown[up] = true
		if t := p.tests[up]; t != nil && t.says() {
			s.show(pkg, up, t)
		}
	}
}

// says reports whether a test has printed anything of its own.
func (t *test) says() bool {
	for line := range strings.Lines(t.output.String()) {
		if !isFrame(line) && strings.TrimSpace(line) != "" {
			return true
		}
	}
	return false
}

// isFrame recognises what go test prints about the run of a test.
func isFrame(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ")
}

// show prints the output of a failed or skipped test.
func (s *summary) show(pkg, name string, t *test) {
	if t.result() == "pass" {
		return
	}
	s.printf("--- %s %s %s\n", t.result(), pkg, name)
	for line := range strings.Lines(t.output.String()) {
		if !isFrame(line) {
			s.printf("    %s\n", strings.TrimRight(line, "\n"))
		}
	}
}

// end reports packages whose end never came, and the first write error.
func (s *summary) end() error {
	for _, name := range slices.Sorted(maps.Keys(s.pkgs)) {
		s.report(name, "fail", 0)
	}
	return s.err
}

func (s *summary) result(ended, name string) {
	if _, err := fmt.Fprintln(s.results, ended, name); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *summary) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(s.out, format, args...); err != nil && s.err == nil {
		s.err = err
	}
}
