package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
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
		if !bytes.Equal(a, b) || !bytes.Contains(a, []byte(".SH DESCRIPTION")) && !bytes.Contains(a, []byte(".SH SYNOPSIS")) || bytes.Contains(a, []byte("@"+"DATE")) {
			t.Errorf("%s is not a page, or another one each time", e.Name())
		}
	}
	for _, want := range []string{"l2tun.1", "l2tun-up.1", "l2tun-invite.1", "l2tun-join.1", "l2tun-wait.1", "l2tun-peer-add.1", "l2tun-completion-bash.1", "l2tun.toml.5", "l2tun-exit-codes.7"} {
		if !names[want] {
			t.Errorf("there is no %s", want)
		}
	}
	if names["l2tun-gen-man.1"] || names["l2tun-completion-powershell.1"] {
		t.Error("a hidden command, or one of another system, has a page")
	}
	join, _ := os.ReadFile(filepath.Join(one, "l2tun-join.1"))
	for _, want := range []string{".SH EXIT STATUS\n0 when joined", ".SH FILES\n", "\\fB--name\\fP\n", ".SH SEE ALSO"} {
		if !bytes.Contains(join, []byte(want)) {
			t.Errorf("l2tun-join.1 lacks %q", want)
		}
	}
	host, _ := os.Hostname()
	if page, _ := os.ReadFile(filepath.Join(one, "l2tun-invite.1")); bytes.Contains(page, []byte(`"`+host+`"`)) {
		t.Error("the page holds the name of this machine")
	}
	refused(t, exitUsage, "DIR is missing: l2tun gen-man DIR", "gen-man")
}

// The pages that people wrote know every command, every key and every exit code.
func TestManPagesLeaveNothingOut(t *testing.T) {
	page := func(name string) string {
		text, err := handWritten.ReadFile("man/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), `\-`, "-")
	}
	has := func(name string, words ...string) {
		t.Helper()
		text := page(name)
		for _, w := range words {
			if !regexp.MustCompile(`(?m)(^\.BR?|,)[^\n]*[ "]` + regexp.QuoteMeta(w) + `\b`).MatchString(text) {
				t.Errorf("%s does not have %q", name, w)
			}
		}
	}
	for _, c := range newRootCmd(IO{}, nil).Commands() {
		if c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand() {
			has("l2tun.1", c.Name())
		}
	}
	for _, text := range []string{"bogus = 1", "[session]\nbogus = 1", "[[peer]]\nbogus = 1"} {
		_, err := config.Parse("n.toml", []byte(text))
		_, known, ok := strings.Cut(fmt.Sprint(err), "unknown key; there ")
		if !ok {
			t.Fatal(err)
		}
		for _, w := range regexp.MustCompile(`[a-z_]+`).FindAllString(known, -1) {
			if !slices.Contains([]string{"are", "is", "and", "those", "of", "session", "only"}, w) {
				has("l2tun.toml.5", w)
			}
		}
	}
	has("l2tun.toml.5", "prefix")
	for _, code := range []string{"0", "1", "64", "2", "10", "11", "12", "13", "14", "15", "16", "17"} {
		has("l2tun-exit-codes.7", code)
	}
}

func TestExitCodesAreATopicOfHelp(t *testing.T) {
	got := must(t, "help", "exit-codes")
	for _, want := range []string{"0   done", "64  what was typed", "10  idle", "17  failed"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}
