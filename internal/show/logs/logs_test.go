package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func logger(t *testing.T, b *bytes.Buffer, o Options) *slog.Logger {
	t.Helper()
	l, err := New(b, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTextHasTimeAndLevel(t *testing.T) {
	var b bytes.Buffer
	l := logger(t, &b, Options{Level: "warn", Format: "text"})
	l.Info("not shown")
	l.With("peer", "bob").Warn("heartbeat not answered", "misses", 2)
	if !regexp.MustCompile(`^time=\S+ level=WARN msg="heartbeat not answered" peer=bob misses=2\n$`).MatchString(b.String()) {
		t.Errorf("%q", b.String())
	}
}

func TestJournalGetsPriorityAndNoTime(t *testing.T) {
	var b bytes.Buffer
	l := logger(t, &b, Options{Level: "debug", Format: "text", Journal: true})
	l.Debug("a")
	l.WithGroup("g").With("time", "mine").Info("b")
	l.Warn("c")
	l.Error("d")
	want := "<7>level=DEBUG msg=a\n<6>level=INFO msg=b g.time=mine\n<4>level=WARN msg=c\n<3>level=ERROR msg=d\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	logger(t, &b, Options{Level: "info", Format: "json", Journal: true}).Info("a", "n", 1)
	var doc map[string]any
	if line, ok := strings.CutPrefix(b.String(), "<6>"); !ok || json.Unmarshal([]byte(line), &doc) != nil || doc["n"] != 1.0 || doc["time"] != nil {
		t.Errorf("%q", b.String())
	}
}

// Many goroutines log: each line has its own priority.
func TestJournalLinesDoNotMix(t *testing.T) {
	var b bytes.Buffer
	l := logger(t, &b, Options{Level: "debug", Format: "text", Journal: true})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				l.Debug("debug")
				l.Error("error")
			}
		})
	}
	wg.Wait()
	for line := range strings.Lines(b.String()) {
		if line != "<7>level=DEBUG msg=debug\n" && line != "<3>level=ERROR msg=error\n" {
			t.Fatalf("%q", line)
		}
	}
}

func TestWrongOptions(t *testing.T) {
	if _, err := New(nil, Options{Level: "loud", Format: "text"}); !errors.Is(err, ErrLevel) {
		t.Error(err)
	}
	if _, err := New(nil, Options{Level: "info", Format: "xml"}); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// The stream must be the very file that the journal named.
func TestToJournal(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	st := info.Sys().(*syscall.Stat_t)
	for env, want := range map[string]bool{"": false, "x": false, "1:2": false, fmt.Sprintf("%d:%d", st.Dev, st.Ino): true} {
		if got := ToJournal(f, func(string) string { return env }); got != want {
			t.Errorf("%q: %v", env, got)
		}
	}
}
