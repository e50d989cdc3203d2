package session

import (
	"log/slog"
	"testing"
	"time"
)

// A peer that is off for a month, with somebody who tries every five seconds and
// two reasons in turn, makes a line for each reason and four a day; every attempt
// is counted in one of them.
func TestUnreachablePeerMakesFewLines(t *testing.T) {
	var h hush
	now := time.Unix(1000, 0)
	lines, tries, told := 0, 0, 0
	for end := now.Add(30 * 24 * time.Hour); now.Before(end); now = now.Add(5 * time.Second) {
		if l := h.level(HandshakeInitiated, NoReason, now); tries > 0 && l != slog.LevelDebug {
			t.Fatal("an attempt is announced")
		}
		tries++
		r := []Reason{ReasonTimeout, ReasonTransport}[tries%2]
		say := h.failed(r, now)
		if say {
			lines++
			told += h.attempts
			h.told(now)
		}
		if got := h.level(Failed, r, now) == slog.LevelWarn; got != say {
			t.Fatal("the failure and the change of state do not agree")
		}
	}
	if lines > 2+1+30*4 || told+h.attempts != tries {
		t.Errorf("%d lines for %d attempts, of which %d are counted", lines, tries, told+h.attempts)
	}
	if h.level(Established, NoReason, now) != slog.LevelInfo || h.level(HandshakeInitiated, NoReason, now) != slog.LevelInfo || !h.failed(ReasonTimeout, now) {
		t.Error("a peer that was reached meanwhile is not told of anew")
	}
}
