package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// refused fails the test unless a command ended with a code and one sentence
// that holds the text.
func (w *world) refused(r result, code int, text string) {
	w.Helper()
	if r.code != code || !strings.Contains(r.errs, text) || strings.Count(r.errs, "\n") != 1 || !strings.HasPrefix(r.errs, "l2tun: ") {
		w.Errorf("exit code %d, standard error %q; want %d and one line with %q", r.code, r.errs, code, text)
		return
	}
	w.Logf("exit code %d: %s", r.code, strings.TrimSpace(r.errs))
}

// noInterface fails the test if a host has an interface.
func (w *world) noInterface(h *lab.Host, name string) {
	w.Helper()
	if out := w.run(h, "ip", "-o", "link"); strings.Contains(out, name) {
		w.Errorf("%s has an interface that it should not have: %s", h.Name, out)
	}
}

func TestConfigMistakesAreNamedWithTheirPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a, b := w.node(w.A), w.node(w.B)
	key, err := os.ReadFile(config.KeyPath(a.Config))
	w.ok(err)
	peer := "\n[[peer]]\ndid = \"" + b.DID + "\"\n" // its did is in column 7
	for _, m := range []struct{ name, text, place, what string }{
		{"misspelt key", "interfaces = \"" + a.Interface + "\"\n" + peer, "1:1", "interfaces: unknown key"},
		{"bad CIDR", "addresses = [\"10.9.0.1/33\"]\n" + peer, "1:14", "addresses: "},
		{"bad CIDR of a peer", peer + "allowed_ips = [\"10.9.0.2/32\", \"10.9.0.2/24\"]\n", "4:31", "peer.allowed_ips: 10.9.0.2/24 has host bits set"},
		{"bad DID", "\n[[peer]]\ndid = \"did:morpheus:z0\"\n", "3:7", "peer.did: not a DID"},
		{"duplicate peer", peer + peer, "6:7", "peer.did: this peer is there already, on line 3"},
		{"truncated TOML", "addresses = [\"10.9.0.1/24\"]\ninterface = \"l2tu", "2:17", ""},
	} {
		w.subtest(m.name, func(t *testing.T) {
			file := w.file("bad.toml", m.text)
			w.ok(os.WriteFile(config.KeyPath(file), key, 0o600))
			r := w.l2tun(w.A, "up", "--config", file, "--socket", a.Socket)
			w.refused(r, exitUsage, file+":"+m.place+": "+m.what)
			if out := w.run(w.A, "ip", "-o", "tuntap"); out != "" {
				t.Errorf("a device was made: %s", out)
			}
		})
	}
}

func TestUnsafeKeyFilesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	key := config.KeyPath(a.Config)
	up := func() result { return w.l2tun(w.A, "up", "--config", a.Config, "--socket", a.Socket) }

	w.ok(os.Chmod(key, 0o644))
	w.refused(up(), exitUsage, key+" can be read or written by others")
	w.ok(os.Chmod(key, 0o600))
	w.ok(os.Truncate(key, 0))
	w.refused(up(), exitUsage, key+" is empty")
	w.ok(os.Remove(key))
	w.ok(os.Mkdir(key, 0o700))
	w.refused(up(), exitUsage, key+" is a directory")
	w.ok(os.Remove(key))
	w.refused(up(), exitUsage, key)
	w.noInterface(w.A, a.Interface)
	faults.Report(t, "C8", true, "the program: readable by others, empty, a folder, missing: code 2, one line")
}

func TestSecondNodeOfAnInterfaceIsRefused(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	checks := []func(){a.undisturbed(b), b.undisturbed(a)}
	w.refused(w.l2tun(w.A, "up", "--config", a.Config, "--socket", a.Socket), 1, "a node runs already")
	w.refused(w.l2tun(w.A, "up", "--config", a.Config, "--socket", a.Socket+"2"), 1, a.Interface)
	w.refused(w.l2tun(w.A, "up", "--detach", "--config", a.Config, "--socket", a.Socket+"2", "--log-file", a.Log), 1, a.Interface)
	w.pings(w.A, b.v4, 10)
	for _, check := range checks {
		check()
	}
	if _, err := os.Stat(a.Socket); err != nil {
		t.Error(err)
	}
	faults.Report(t, "C7", true, "3 attempts: code 1; the first node has lost no ping")
}

// Without root there is one sentence that says what is missing.
func TestWithoutRootTheProgramSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	const nobody = 65534
	dir := w.readable(nobody, w.program, a.Config, config.KeyPath(a.Config))
	for _, with := range []struct{ env, args []string }{
		{},
		{env: []string{"XDG_RUNTIME_DIR=" + filepath.Join(dir, "run")}},
		{args: []string{"--socket", filepath.Join(dir, "n.sock")}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		args := append([]string{"up", "--config", filepath.Join(dir, filepath.Base(a.Config))}, with.args...)
		c := w.A.Command(ctx, filepath.Join(dir, filepath.Base(w.program)), args...)
		c.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		c.Env = append([]string{"PATH=/usr/bin"}, with.env...)
		r := w.finish(c)
		w.refused(r, 1, "")
		if !regexp.MustCompile(`\broot\b`).MatchString(r.errs) || !strings.Contains(r.errs, "CAP_NET_ADMIN") {
			t.Errorf("with %v the sentence does not say what is missing: %q", with, r.errs)
		}
	}
}

// readable copies files to a folder that a user owns, with a folder "run" in it.
func (w *world) readable(uid int, files ...string) (dir string) {
	w.Helper()
	dir, err := os.MkdirTemp("", "l2tun-e2e-user-")
	w.ok(err)
	w.Cleanup(func() { os.RemoveAll(dir) })
	for _, from := range files {
		to := filepath.Join(dir, filepath.Base(from))
		w.ok(copyFile(to, from))
		if err := os.Chown(to, uid, uid); errors.Is(err, syscall.EINVAL) {
			w.Skip("needs a user besides root: this user namespace has none")
		}
	}
	run := filepath.Join(dir, "run")
	w.ok(os.Mkdir(run, 0o700))
	w.ok(errors.Join(os.Chown(dir, uid, uid), os.Chown(run, uid, uid)))
	return dir
}

// copyFile copies content and mode.
func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
