package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestColourOnlyWhenAskedFor(t *testing.T) {
	for _, colour := range []bool{false, true} {
		var out bytes.Buffer
		s := newScreen(Options{Out: &out, Color: colour})
		s.head("Title")
		s.shell("alice", "l2tun up")
		s.row("name", "value")
		s.line("%s %s %s", s.state("established"), s.state("failed"), s.state("idle"))
		if got := strings.Contains(out.String(), "\x1b["); got != colour {
			t.Errorf("Color %t: %q", colour, out.String())
		}
	}
}
