package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

var _ control.Observer = (*fakeNode)(nil)

func (f *fakeNode) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "l2tun_peers 2\n") })
}

func (f *fakeNode) Ping(_ context.Context, peer string) (control.Pong, error) {
	f.ask(peer)
	if f.through != "" {
		hub := f.through
		f.through = "" // then a direct path is there
		return control.Pong{Name: peer, Carrier: "circuit", Through: peerDID(9), ThroughName: hub, RTTMS: 81.5}, f.refuse
	}
	return control.Pong{Name: peer, Link: "quic", Carrier: "direct", Local: "10.0.0.1:4242", Remote: "10.0.0.2:4242", Epoch: 3, RTTMS: 1.25}, f.refuse
}

func (f *fakeNode) Why(_ context.Context, peer, traffic, to string) (control.Why, error) {
	f.ask(peer)
	return control.Why{Name: peer, Traffic: traffic, To: cmp.Or(to, "fd4c::1"), Allowed: traffic == "tcp:22", By: "[[only]] of line 12"}, f.refuse
}

func (f *fakeNode) Netcheck(context.Context) (control.Netcheck, error) { return f.netcheck, f.refuse }

func (f *fakeNode) Prefer(_ context.Context, peer, _ string) error { f.ask(peer); return f.refuse }

func (f *fakeNode) Capture(_ context.Context, o control.CaptureOptions, begin func(), w io.Writer) (control.Captured, error) {
	f.ask(o.Peer)
	if f.refuse != nil {
		return control.Captured{}, f.refuse
	}
	begin()
	_, err := io.WriteString(w, "pcapng")
	return control.Captured{Packets: uint64(o.Count), Dropped: 1}, err
}

func TestMetricsArePrinted(t *testing.T) {
	socket := (&fakeNode{}).start(t)
	if got := must(t, "metrics", "--socket", socket); got != "l2tun_peers 2\n" {
		t.Error(got)
	}
}

func TestWhyNamesTheLine(t *testing.T) {
	socket := (&fakeNode{}).start(t)
	if got := must(t, "why", "bob", "tcp:22", "--socket", socket); got != "bob may send tcp:22 to fd4c::1: [[only]] of line 12\n" {
		t.Error(got)
	}
	if got := must(t, "why", "bob", "tcp:80", "--to", "192.168.50.7", "--socket", socket); got != "bob may not send tcp:80 to 192.168.50.7: [[only]] of line 12\n" {
		t.Error(got)
	}
	var why control.Why
	if err := json.Unmarshal([]byte(must(t, "why", "bob", "tcp:22", "--socket", socket, "--json")), &why); err != nil || !why.Allowed || why.By == "" || why.Version != 1 {
		t.Error(why, err)
	}
}

func TestPingNamesThePath(t *testing.T) {
	socket := (&fakeNode{}).start(t)
	line := "pong from bob by udp-direct, 10.0.0.1:4242 -> 10.0.0.2:4242, in 1.25 ms\n"
	if got := must(t, "ping", "bob", "--socket", socket, "-c", "2", "--interval", "10ms"); got != line+line+"2 sent, 2 received, 0% loss; min/avg/max 1.25/1.25/1.25 ms\n" {
		t.Error(got)
	}
	var pong control.Pong
	if err := json.Unmarshal([]byte(must(t, "ping", "bob", "--socket", socket, "-c", "1", "--json")), &pong); err != nil || pong.Carrier != "direct" || pong.Version != 1 {
		t.Error(pong, err)
	}
}

// No answer is exit code 1 and one sentence; an unknown peer ends it at once.
func TestPingWithoutAnAnswer(t *testing.T) {
	f := &fakeNode{refuse: &control.APIError{Code: 504, Msg: "bob did not answer in time; its session is degraded"}}
	socket := f.start(t)
	out, errs, code := l2tun(t, "ping", "bob", "--socket", socket, "-c", "2", "--interval", "10ms")
	if code != 1 || errs != "l2tun: 2 sent to bob, 0 received, 100% loss\n" || strings.Count(out, "no answer: bob did not answer in time; its session is degraded\n") != 2 {
		t.Errorf("%d %q %q", code, errs, out)
	}
	g := &fakeNode{refuse: &control.APIError{Code: 404, Msg: `there is no peer "eve"`}}
	refused(t, exitUsage, `there is no peer "eve"`, "ping", "eve", "--socket", g.start(t))
}

func TestCaptureToFileAndOut(t *testing.T) {
	f := &fakeNode{}
	socket := f.start(t)
	file := filepath.Join(t.TempDir(), "x.pcapng")
	out, errs, code := l2tun(t, "capture", file, "--peer", "bob", "-c", "5", "--socket", socket)
	if text, _ := os.ReadFile(file); code != 0 || out != "" || errs != "capturing; press Ctrl-C to stop\n5 packets captured, 1 dropped\n" || string(text) != "pcapng" || f.asked != "bob" {
		t.Errorf("%d %q %q %q", code, out, errs, text)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	if out, _, code := l2tun(t, "capture", "-", "--socket", socket); code != 0 || out != "pcapng" {
		t.Error(out, code)
	}
	g := &fakeNode{refuse: &control.APIError{Code: 404, Msg: "no such peer"}}
	none := filepath.Join(t.TempDir(), "y")
	refused(t, exitUsage, "no such peer", "capture", none, "--socket", g.start(t))
	if _, err := os.Stat(none); err == nil {
		t.Error("a refused capture leaves a file")
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		refused2(t, 1, "no space left on device", "capture", "/dev/full", "--socket", socket)
	}
}

// refused2 wants a text at the end of the last line.
func refused2(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	_, errs, got := l2tun(t, args...)
	if got != code || !strings.HasSuffix(errs, want+"\n") {
		t.Errorf("%d %q", got, errs)
	}
}

func TestTopOnceIsText(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	got := must(t, "top", "--once", "--samples", "2", "--interval", "100ms", "--socket", socket)
	if !strings.Contains(got, "> bob") || !strings.Contains(got, "established") || strings.Contains(got, "\x1b") {
		t.Error(got)
	}
	refused(t, exitUsage, "top needs a terminal; --once prints its screen as text", "top", "--socket", socket)
}

// Status lays out for the width that it is told.
func TestStatusFitsTheTerminal(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	t.Setenv("COLUMNS", "20")
	for line := range strings.Lines(must(t, "status", "--socket", socket)) {
		if len([]rune(line)) > 21 {
			t.Errorf("%q", line)
		}
	}
}

func TestObservingUsage(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"PEER is missing: l2tun ping PEER", []string{"ping"}},
		{"PEER is empty: give a name, a DID or an overlay address", []string{"ping", ""}},
		{"--interval 1ms: it must be 10ms or more", []string{"ping", "x", "--interval", "1ms"}},
		{"--timeout 11s: it must be above 0 and at most 10s", []string{"ping", "x", "--timeout", "11s"}},
		{"FILE is missing: l2tun capture FILE", []string{"capture"}},
		{"--count -1: it must not be below 0", []string{"capture", "-", "--count", "-1"}},
		{"--samples 0: it must be between 1 and 1000", []string{"top", "--once", "--samples", "0"}},
		{"l2tun metrics takes no arguments (1 given)", []string{"metrics", "x"}},
	} {
		refused(t, exitUsage, c.want, c.args...)
	}
}

// The doctor's exit code is the worst finding's; it says all on standard output.
func TestDoctorOffline(t *testing.T) {
	path := initConfig(t)
	socket := (&fakeNode{status: twoPeers()}).start(t)
	out, errs, code := l2tun(t, "doctor", "--offline", "--config", path, "--socket", socket)
	if code != 0 || errs != "" || !strings.Contains(out, "config, key, clock, node") {
		t.Errorf("%d %q %s", code, errs, out)
	}
	if err := os.Chmod(config.KeyPath(path), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs, code = l2tun(t, "doctor", "--offline", "--config", path, "--socket", socket, "--json")
	var r struct {
		Version  int
		Worst    string
		Findings []control.Finding
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 2 || errs != "" || r.Version != 1 || r.Worst != "error" || r.Findings[0].Code != "L2T-102" {
		t.Errorf("%d %q %s", code, errs, out)
	}
	os.Chmod(config.KeyPath(path), 0o600)
	os.Chmod(path, 0o666)
	if out, _, code = l2tun(t, "doctor", "--offline", "--config", path, "--socket", socket); code != 2 || !strings.Contains(out, "L2T-103 error") {
		t.Errorf("%d %s", code, out)
	}
}

// The bundle has everything but the key, wherever that has got.
func TestBugreportHasNoSecret(t *testing.T) {
	path := initConfig(t)
	key, err := os.ReadFile(config.KeyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	seed := strings.Fields(string(key))[1]
	f := &fakeNode{status: twoPeers(), events: []control.Event{{Time: time.Now(), From: "idle", To: "failed", Reason: seed}}}
	socket := f.start(t)
	log := filepath.Join(t.TempDir(), "log")
	os.WriteFile(log, []byte("level=INFO msg=hello seed="+seed+"\ninvite_token=abcdef123456\nl2tun:join?token=xyz\n"), 0o600)
	file := filepath.Join(t.TempDir(), "r.tar.gz")
	if out := must(t, "bugreport", file, "--config", path, "--socket", socket, "--log-file", log); !strings.Contains(out, file) {
		t.Error(out)
	}
	all := bundle(t, file)
	for _, secret := range []string{seed, "abcdef123456", "token=xyz"} {
		if strings.Contains(all, secret) {
			t.Errorf("%s is in the bundle", secret)
		}
	}
	for _, there := range []string{"msg=hello", `"did": "did:b"`, "l2tun_peers 2", "interface = ", `"checks"`, "failed", "go1."} {
		if !strings.Contains(all, there) {
			t.Errorf("%s is not in the bundle", there)
		}
	}
	if _, errs, code := l2tun(t, "bugreport", file, "--config", path, "--socket", socket); code != exitUsage || !strings.Contains(errs, "exists") {
		t.Error(code, errs)
	}
}

func bundle(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return all.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(h.Name + "\n")
		io.Copy(&all, r)
	}
}
