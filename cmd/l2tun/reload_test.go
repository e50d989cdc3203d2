package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func TestReloadAndConfirm(t *testing.T) {
	node := &fakeNode{}
	socket := node.start(t)
	if got := must(t, "reload", "--socket", socket); got != "" || node.reloads != 1 {
		t.Error(got, node.reloads)
	}
	if got := must(t, "reload", "--socket", socket, "--confirm", "60s"); got != "the new config is in use; it will be rolled back in 1m0s unless confirmed: l2tun confirm --socket "+socket+"\n" || node.within != time.Minute {
		t.Error(got, node.within)
	}
	if got := must(t, "confirm", "--socket", socket); got != "" {
		t.Error(got)
	}
	node.refuse = &control.APIError{Code: 409, Msg: "nothing waits"}
	refused(t, 1, "nothing waits", "confirm", "--socket", socket)
	node.refuse = errors.New("x.toml:3:1: colour: unknown key")
	refused(t, 1, "x.toml:3:1: colour: unknown key", "reload", "--socket", socket)
	node.refuse = control.Wrong("x.toml:3:1: colour: unknown key")
	refused(t, exitUsage, "x.toml:3:1: colour: unknown key", "reload", "--socket", socket)
	for _, cmd := range []string{"reload", "up"} {
		for _, d := range []string{"500ms", "2h", "-1s"} {
			_, errs, code := l2tun(t, cmd, "--confirm", d)
			if code != exitUsage || !strings.HasSuffix(errs, ": choose 1s to 1h\n") {
				t.Error(cmd, d, code, errs)
			}
		}
	}
	for _, cmd := range []string{"reload", "confirm", "down"} {
		_, errs, code := l2tun(t, cmd, "--socket", filepath.Join(t.TempDir(), "none.sock"))
		if code != 1 || !strings.HasPrefix(errs, "l2tun: no node runs") {
			t.Error(cmd, code, errs)
		}
	}
}
