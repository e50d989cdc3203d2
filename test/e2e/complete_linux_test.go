package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/test/lab"
)

// A real bash completes the name of a peer from the running node, and from the
// config where that is what is edited.
func TestBashCompletesPeerNames(t *testing.T) {
	t.Parallel()
	lab.Require(t, "bash")
	w := newWorld(t, lab.Shape{})
	a, b := w.node(w.A), w.node(w.B)
	w.must(w.A, "peer", "add", "--config", a.Config, "--socket", a.Socket, "--name", "alice", b.DID)
	w.must(w.A, "peer", "add", "--config", a.Config, "--socket", a.Socket, "--name", "bob", w.other())
	a.up()
	bin := filepath.Join(w.Dir(), "bin")
	w.ok(os.Mkdir(bin, 0o700))
	w.ok(os.Symlink(w.program, filepath.Join(bin, "l2tun")))
	// What bash does at a tab: the line in COMP_*, the function, then COMPREPLY. Where
	// the package bash-completion is missing, the one function that cobra's script
	// takes from it stands in.
	const tab = `
export PATH="$BIN:$PATH"
for f in /usr/share/bash-completion/bash_completion /etc/bash_completion; do [ -r $f ] && . $f && break; done
declare -F _get_comp_words_by_ref > /dev/null || _get_comp_words_by_ref() {
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cword=$COMP_CWORD; words=("${COMP_WORDS[@]}")
}
. <(l2tun completion bash)
compopt() { :; } # bash allows it inside a completion only
complete -p l2tun > /dev/null || exit 9
COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=9
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
__start_l2tun
printf '%s\n' "${COMPREPLY[@]}"
`
	press := func(words ...string) []string {
		t.Helper()
		c := w.A.Command(t.Context(), "bash", append([]string{"-c", tab, "l2tun-tab", "l2tun"}, words...)...)
		c.Env = append(os.Environ(), "BIN="+bin)
		r := w.finish(c)
		if r.code != 0 || r.errs != "" {
			t.Fatalf("%+v", r)
		}
		t.Logf("l2tun %s<TAB> -> %s", strings.Join(words, " "), strings.Join(strings.Fields(r.out), " "))
		return strings.Fields(r.out)
	}
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"rotate", "--socket", a.Socket, ""}, "alice bob"},
		{[]string{"send", "--socket", a.Socket, "al"}, "alice"},
		{[]string{"wait", "--socket", a.Socket, "b"}, "bob"},
		{[]string{"wait", "--state", "esta"}, "established"},
		{[]string{"peer", "remove", "--config", a.Config, ""}, "alice bob"},
		{[]string{"peer", "remove", "--config", a.Config, "alice", ""}, ""},
		{[]string{"inv"}, "invite"},
	} {
		if got := strings.Join(press(c.words...), " "); got != c.want {
			t.Errorf("%v: %q, want %q", c.words, got, c.want)
		}
	}
}
