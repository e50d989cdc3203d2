package peerlog

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The lines of a session have the name that the peer has now.
func TestLogLinesHaveTheNewName(t *testing.T) {
	var b bytes.Buffer
	names, name := [...]string{"nas", "attic"}, new(atomic.Pointer[string])
	name.Store(&names[0])
	l := New(slog.New(slog.NewTextHandler(&b, nil)), "did:x", name)
	l.Info("one", "x", 1)
	name.Store(&names[1])
	l.With("y", 2).Info("two")
	l.WithGroup("g").Info("three", "z", 3)
	if got := b.String(); !strings.Contains(got, "msg=one peer=did:x name=nas x=1") || strings.Count(got, "name=attic") != 2 {
		t.Error(got)
	}
}

// Moves and changes are bounded each for itself, and a line says how many were not logged.
func TestMovesAndChangesAreBoundedEachForItself(t *testing.T) {
	now := time.Now()
	l := New(slog.New(slog.DiscardHandler), "did:x", new(atomic.Pointer[string]))
	for _, x := range []struct {
		burst int
		allow func(time.Time) ([]any, bool)
	}{{moveBurst, l.Move}, {ChangeBurst, l.Change}} {
		for i := range x.burst + 3 {
			if attrs, ok := x.allow(now); ok != (i < x.burst) || len(attrs) != 0 {
				t.Errorf("line %d of at most %d: %v, %v", i, x.burst, attrs, ok)
			}
		}
		attrs, ok := x.allow(now.Add(lineEvery))
		if !ok || len(attrs) != 2 || attrs[0] != "changes_not_logged" || attrs[1] != uint64(3) {
			t.Errorf("after %v: %v, %v", lineEvery, attrs, ok)
		}
	}
}
