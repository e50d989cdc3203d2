package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPeersAreCompletedByTheRunningNode(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	for _, cmd := range []string{"rotate", "send", "receive"} {
		out, _, code := l2tun(t, "__complete", cmd, "--socket", socket, "")
		if code != 0 || !strings.HasPrefix(out, "bob\ndid:c\n:4\n") {
			t.Errorf("%s: %d %q", cmd, code, out)
		}
		for _, args := range [][]string{{"--socket", socket, "bob", ""}, {"--socket", filepath.Join(t.TempDir(), "none"), ""}} {
			if out, _, _ := l2tun(t, append([]string{"__complete", cmd}, args...)...); !strings.HasPrefix(out, ":4\n") {
				t.Errorf("%s %v: %q", cmd, args, out)
			}
		}
	}
}
