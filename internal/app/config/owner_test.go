package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/test/faults"
)

// S26: a node does not do what a file says that somebody else can change; the
// sentence says what to run.
func TestConfigOfOthersIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "l2tun")
	path := filepath.Join(dir, "n.toml")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fresh := func() {
		must(os.RemoveAll(dir))
		must(os.Mkdir(dir, 0o755))
		must(os.WriteFile(path, []byte("interface = \"x0\"\n"), 0o600))
		must(os.Chmod(dir, 0o755))
	}
	refused, taken := 0, 0
	for _, c := range []struct {
		what string
		do   func()
		say  string // "" if it is taken
	}{
		{"as init makes it", func() {}, ""},
		{"others may read it", func() { must(os.Chmod(path, 0o644)) }, ""},
		{"the group may write it", func() { must(os.Chmod(path, 0o620)) }, "chmod go-w"},
		{"others may write it", func() { must(os.Chmod(path, 0o602)) }, "chmod go-w"},
		{"others may write to its folder", func() { must(os.Chmod(dir, 0o777)) }, "chmod go-w on that folder"},
		{"the folder has the sticky bit", func() { must(os.Chmod(dir, 0o777|os.ModeSticky)) }, ""},
		{"a link to a file in such a folder", func() {
			open := filepath.Join(dir, "open")
			must(os.Mkdir(open, 0o700))
			must(os.Rename(path, filepath.Join(open, "n.toml")))
			must(os.Chmod(open, 0o777))
			must(os.Symlink(filepath.Join(open, "n.toml"), path))
		}, "chmod go-w on that folder"},
		{"another user's", func() { must(os.Chown(path, 12345, -1)) }, "chown"},
		{"that of who runs sudo", func() { must(os.Chown(path, 12345, -1)); t.Setenv("SUDO_UID", "12345") }, ""},
	} {
		if os.Geteuid() != 0 && (strings.Contains(c.what, "user's") || strings.Contains(c.what, "sudo")) {
			continue // only root can give files away
		}
		fresh()
		c.do()
		_, err := LoadTrusted(path)
		var e *Error
		switch {
		case c.say == "" && err == nil:
			taken++
		case c.say != "" && errors.As(err, &e) && strings.Contains(err.Error(), c.say) && strings.Contains(err.Error(), path) && !strings.Contains(err.Error(), "\n"):
			refused++
		default:
			t.Errorf("%s: %v", c.what, err)
		}
		if _, err := Load(path); err != nil {
			t.Errorf("%s: it cannot even be looked at: %v", c.what, err)
		}
	}
	if _, err := LoadTrusted(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	faults.Report(t, "S26", refused >= 4 && !t.Failed(), "a config that others can change, by its modes, its folder's, a link or its owner: refused %d times, with what to run; %d that nobody else can change: taken", refused, taken)
}
