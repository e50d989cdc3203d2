package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// script runs shell commands in a host, with mounts of their own: $L is the
// program and $D a folder on a file system of 64 KiB; fill takes the last byte of
// it, and free gives it back.
func (w *world) script(h *lab.Host, name, text string) *lab.Cmd {
	w.Helper()
	dir := filepath.Join(w.Dir(), name)
	w.ok(os.MkdirAll(dir, 0o700))
	c := h.Command(w.Context(), "unshare", "-m", "sh", "-ec", `
mount -t tmpfs -o size=64k tmpfs "$D"
fill() { cat /dev/zero > "$D/fill" 2>/dev/null || true; }
free() { rm "$D/fill"; }
`+text)
	c.Env = append(os.Environ(), "L="+w.program, "D="+dir)
	return c
}

// On a full disk every edit is refused with one sentence, and no file is different
// or new.
func TestFullDiskChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{})
	a := w.node(w.A)
	link := a.invites("guest")
	for name, edit := range map[string]string{
		"peer add":    `"$L" peer add --config "$D/n.toml" --socket "$D/n.sock" ` + a.DID,
		"peer remove": `"$L" peer remove --config "$D/n.toml" --socket "$D/n.sock" bob`,
		"invite":      `"$L" invite --config "$D/n.toml" --socket "$D/n.sock" --endpoint 192.0.2.1:4242`,
		"init":        `"$L" init --config "$D/m.toml"`,
		"join":        `"$L" join --config "$D/n.toml" --socket "$D/n.sock" '` + link + `'`,
		"first join":  `"$L" join --config "$D/m.toml" --socket "$D/n.sock" '` + link + `'`,
	} {
		w.subtest(name, func(t *testing.T) {
			r := w.finish(w.script(w.A, strings.ReplaceAll(name, " ", "-"), `
"$L" init --config "$D/n.toml" --interface full0 > /dev/null
"$L" peer add --config "$D/n.toml" --socket "$D/n.sock" --name bob `+w.other()+` > /dev/null
fill
before=$(cd "$D" && ls -A && cat n.toml | sha256sum)
code=0
`+edit+` || code=$?
after=$(cd "$D" && ls -A && cat n.toml | sha256sum)
[ "$before" = "$after" ] || { echo "before $before, after $after"; exit 99; }
exit $code`))
			if r.code == 99 || r.out != "" || !strings.Contains(r.errs, "no space left on device") {
				t.Fatalf("%+v", r)
			}
			if r.code != 1 || strings.Count(r.errs, "\n") != 1 || !strings.HasPrefix(r.errs, "l2tun: ") {
				t.Errorf("%+v", r)
			}
			t.Logf("exit code %d: %s", r.code, strings.TrimSpace(r.errs))
		})
	}
	faults.Report(t, "C6", true, "a full disk: 6 kinds of edits refused in one line, no file different or new")
}

// other is the DID of a node that nobody runs.
func (w *world) other() string {
	w.Helper()
	dir, err := os.MkdirTemp(w.Dir(), "other")
	w.ok(err)
	out := w.must(w.A, "init", "--json", "--config", filepath.Join(dir, "n.toml"))
	return decode[struct{ DID string }](w, out).DID
}

// A node whose disk is full takes nobody, says so to the one who asks, and takes
// him by the same link once there is room.
func TestInvitationSurvivesAFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	b := w.guest(w.B)
	log := filepath.Join(w.Dir(), "full.log")
	node := w.script(w.A, "full", `
"$L" init --config "$D/n.toml" --interface `+"l2"+w.tag+`f --address 10.9.0.1/24 > /dev/null
"$L" invite bob --config "$D/n.toml" --endpoint `+w.A.IP4.String()+`:4242 > "$D.link" 2> /dev/null
fill
trap 'free; cat "$D/n.toml" > "$D.toml"' USR1
"$L" up --config "$D/n.toml" --socket "$D.sock" 2> `+log+` &
node=$!
while kill -0 $node 2> /dev/null; do wait $node || true; done`)
	w.ok(node.Start())
	w.eventually(20*time.Second, "the node with the full disk", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "node is up")
	})
	text, err := os.ReadFile(filepath.Join(w.Dir(), "full.link"))
	w.ok(err)
	link := strings.TrimSpace(string(text))
	w.refused(b.joins(link), 1, "the other node could not take this one as a peer; its log says why")
	if _, err := os.Stat(filepath.Dir(b.Config)); err == nil {
		t.Error("the joining node has made something")
	}
	if text, _ := os.ReadFile(log); !strings.Contains(string(text), "no space left on device") {
		t.Errorf("the log: %s", text)
	}
	w.run(w.A, "kill", "-USR1", strconv.Itoa(node.Process.Pid))
	full := filepath.Join(w.Dir(), "full.toml")
	w.eventually(10*time.Second, "room on the disk", func() bool { _, err := os.Stat(full); return err == nil })
	if text, _ := os.ReadFile(full); strings.Contains(string(text), "\n[[peer]]") {
		t.Errorf("the config has a peer:\n%s", text)
	}
	if r := b.joins(link); r.code != 0 {
		t.Fatal(r.errs)
	}
	b.known()
	b.up()
	w.must(w.B, "wait", b.peers()[0], "--socket", b.Socket)
	w.must(w.A, "down", "--socket", filepath.Join(w.Dir(), "full.sock"))
	w.ok(node.Wait())
}

// peers are the DIDs of those in the node's config.
func (n *node) peers() (dids []string) {
	n.w.Helper()
	for _, p := range decode[[]struct{ DID string }](n.w, n.w.must(n.Host, "peer", "list", "--json", "--config", n.Config)) {
		dids = append(dids, p.DID)
	}
	return dids
}
