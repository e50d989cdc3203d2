// Package script runs tests of pure machines that are texts: a file of testdata says
// what it shows, then has blocks. Given and When have a command a line; Then has what
// came of When, each line with the time since the first When. With the flag -update
// the files are written as the machine answers, for a person to read.
//
// Only tests import this package.
package script

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the scripts print")

// A World is a machine and what it talks to, as one file commands them.
type World interface {
	Now() time.Time
	Command(line string) // does what a line of Given or When says
	End()                // holds what is to hold behind the last line
	String() string      // the state, for a test that fails
}

// A Log is what came of the commands since the last When.
type Log struct {
	lines []string
	zero  time.Time // of the first When
}

// Say adds lines without a time.
func (l *Log) Say(lines ...string) { l.lines = append(l.lines, lines...) }

// Since is the time from the first When to now, to the millisecond.
func (l *Log) Since(now time.Time) time.Duration { return now.Sub(l.zero).Round(time.Millisecond) }

// Run runs each file of testdata in a subtest, in a world that begin makes.
func Run(t *testing.T, begin func(*testing.T, *Log) World) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			l := new(Log)
			runFile(t, f, begin(t, l), l)
		})
	}
}

func runFile(t *testing.T, file string, w World, l *Log) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := perform(string(text), w, l); *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != string(text) {
		t.Errorf("got\n%s\nwant\n%s\nstate\n%v", got, text, w)
	}
	w.End()
}

// perform does what a script says and returns it with what came of it.
func perform(text string, w World, l *Log) string {
	var result strings.Builder
	block := ""
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		switch word := strings.TrimSpace(line); {
		case word == "Given" || word == "When" || word == "Then":
			if block == "Then" {
				result.WriteString("\n")
			}
			block = word
			result.WriteString(word + "\n")
			l.begin(word, w.Now(), &result)
		case block == "":
			result.WriteString(line + "\n")
		case block == "Then":
		case word != "" && !strings.HasPrefix(word, "#"):
			w.Command(word)
			fallthrough
		default:
			if line != "" {
				result.WriteString(line + "\n")
			}
		}
	}
	return strings.TrimRight(result.String(), "\n") + "\n"
}

// begin starts a block. Then prints what was said since the last When.
func (l *Log) begin(block string, now time.Time, result *strings.Builder) {
	switch block {
	case "When":
		if l.zero.IsZero() {
			l.zero = now
		}
		l.lines = nil
	case "Then":
		for _, line := range l.lines {
			fmt.Fprintf(result, "  %s\n", line)
		}
		if len(l.lines) == 0 {
			result.WriteString("  nothing\n")
		}
	}
}
