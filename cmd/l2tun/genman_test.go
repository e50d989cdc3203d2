package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestManPagesOfEveryCommand(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "man"), t.TempDir()
	must(t, "gen-man", one)
	must(t, "gen-man", two)
	all, err := os.ReadDir(one)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, e := range all {
		names[e.Name()] = true
		a, _ := os.ReadFile(filepath.Join(one, e.Name()))
		b, _ := os.ReadFile(filepath.Join(two, e.Name()))
		if !bytes.Equal(a, b) || !bytes.Contains(a, []byte(".SH SYNOPSIS")) {
			t.Errorf("%s is not a page, or another one each time", e.Name())
		}
	}
	for _, want := range []string{"l2tun.1", "l2tun-up.1", "l2tun-invite.1", "l2tun-join.1", "l2tun-wait.1", "l2tun-peer-add.1", "l2tun-completion-bash.1"} {
		if !names[want] {
			t.Errorf("there is no %s", want)
		}
	}
	if names["l2tun-gen-man.1"] {
		t.Error("a hidden command has a page")
	}
	host, _ := os.Hostname()
	if page, _ := os.ReadFile(filepath.Join(one, "l2tun-invite.1")); bytes.Contains(page, []byte(`"`+host+`"`)) {
		t.Error("the page holds the name of this machine")
	}
	refused(t, exitUsage, "l2tun gen-man takes one folder, not 0 arguments", "gen-man")
}

func TestExitCodesAreATopicOfHelp(t *testing.T) {
	got := must(t, "help", "exit-codes")
	for _, want := range []string{"0   done", "64  what was typed", "10  idle", "17  failed"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
