package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
)

// A user who may not read root's config is shown what to do; root, and a user who met
// another error, is not.
func TestFilesOfOthersAreExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.toml")
	device := &fs.PathError{Op: "open", Path: "/dev/net/tun", Err: fs.ErrPermission}
	denied := fmt.Errorf("%w: %w", did.ErrKeyFile, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission})
	for _, c := range []struct {
		err  error
		uid  int
		said bool
	}{{denied, 1000, true}, {denied, 0, false}, {device, 1000, false}, {errors.New("other"), 1000, false}, {nil, 1000, false}} {
		if got := rights(c.err, c.uid); (got != "") != c.said {
			t.Errorf("%v, user %d: %q", c.err, c.uid, got)
		}
	}
	if os.Geteuid() == 0 {
		return // root reads everything
	}
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); rights(err, 1000) == "" {
		t.Errorf("not in the config's error: %v", err)
	}
}
