package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// What a node shows of itself: metrics on the socket and on loopback, a ping that
// names its path, a carrier that is preferred, top as text, a capture that tcpdump
// reads.
func TestNodeShowsItself(t *testing.T) {
	t.Parallel()
	w, a, b := pair(t)
	w.pings(w.A, b.v4, 5)
	pong := w.must(w.A, "ping", b.DID, "--socket", a.Socket, "-c", "3", "--interval", "50ms")
	w.Log(pong)
	if !regexp.MustCompile(`(?m)^pong from did:\S+ by (udp-direct|quic), \S+ -> `+regexp.QuoteMeta(b.endpoint4())+`, in [0-9.]+ ms$`).MatchString(pong) ||
		!strings.Contains(pong, "3 sent, 3 received, 0% loss") {
		t.Errorf("ping: %s", pong)
	}
	w.refused(w.l2tun(w.A, "ping", "nobody", "--socket", a.Socket), 64, `there is no peer "nobody"`)
	w.checkMetrics(a, b)
	w.checkCapture(a, b)
	w.checkPreferred(a, b)
	top := w.must(w.A, "top", "--once", "--samples", "3", "--interval", "200ms", "--socket", a.Socket)
	w.Log(top)
	if !strings.Contains(top, "established") || !strings.Contains(top, "history") {
		t.Errorf("top: %s", top)
	}
	status := w.must(w.A, "status", "--socket", a.Socket)
	w.Log(status)
	for _, want := range []string{"established", "PEER", "ADDRESS", b.v4.String()} {
		if !strings.Contains(status, want) {
			t.Errorf("status has no %q: %s", want, status)
		}
	}
}

func (w *world) checkMetrics(a, b *node) {
	w.Helper()
	text := w.must(w.A, "metrics", "--socket", a.Socket)
	for _, want := range []string{`l2tun_session_state\{peer="[^"]+",state="established"\} 1`, `l2tun_handshakes_total\{peer="[^"]+",result="full"\} 1`,
		`l2tun_sent_packets_total\{carrier="\w+",peer="[^"]+"\} [1-9]`, `l2tun_rtt_seconds\{`} {
		if !regexp.MustCompile(want).MatchString(text) {
			w.Errorf("no %s in the metrics", want)
		}
	}
}

// checkCapture pings while a capture of five packets runs.
func (w *world) checkCapture(a, b *node) {
	w.Helper()
	file := filepath.Join(w.Dir(), "inner.pcapng")
	cmd := w.A.Command(w.Context(), w.program, "capture", file, "--peer", b.DID, "--count", "6", "--socket", a.Socket)
	said, err := cmd.StderrPipe()
	w.ok(err)
	w.ok(cmd.Start())
	first := make([]byte, 9)
	_, err = io.ReadFull(said, first) // "capturing"
	w.ok(err)
	w.pings(w.A, b.v4, 5)
	go io.Copy(io.Discard, said)
	w.ok(cmd.Wait())
	out := w.run(w.A, "tcpdump", "-n", "-r", file)
	w.Log(out)
	if strings.Count(out, a.v4.String()+" > "+b.v4.String()+": ICMP echo request") < 2 || strings.Count(out, "ICMP echo reply") < 2 || strings.Count(out, "\n") < 6 {
		w.Errorf("tcpdump reads %s", out)
	}
	// One that is interrupted ends well too.
	file += "2"
	cmd = w.A.Command(w.Context(), w.program, "capture", file, "--socket", a.Socket)
	said, err = cmd.StderrPipe()
	w.ok(err)
	w.ok(cmd.Start())
	_, err = io.ReadFull(said, first)
	w.ok(err)
	w.pings(w.A, b.v4, 5)
	w.ok(cmd.Process.Signal(syscall.SIGINT))
	rest, _ := io.ReadAll(said)
	w.ok(cmd.Wait())
	if !regexp.MustCompile(`1[0-9] packets captured, 0 dropped`).Match(rest) {
		w.Errorf("the capture ended with %s", rest)
	}
}

// checkPreferred lets A send by TCP, and by the best again, while pings pass.
func (w *world) checkPreferred(a, b *node) {
	w.Helper()
	client := a.Client()
	w.must(w.A, "prefer", b.v4.String(), "utcp", "--socket", a.Socket)
	a.waitPeer(b, 20*time.Second, "on utcp", func(p control.Peer) bool { return p.Carrier == "utcp" && p.Prefer == "utcp" })
	w.pings(w.A, b.v4, 100)
	if p := a.peer(b); p.State != "established" && p.State != "rotating" || p.Carrier != "utcp" {
		w.Errorf("after pings on the preferred carrier: %+v", p)
	}
	w.must(w.A, "prefer", b.DID, "auto", "--socket", a.Socket)
	a.waitPeer(b, 20*time.Second, "on the best carrier again", func(p control.Peer) bool { return p.Carrier == "direct" })
	w.pings(w.A, b.v4, 20)
	if err := client.Prefer(w.Context(), b.DID, "pigeon"); err == nil {
		w.Error("a carrier that is none was taken")
	}
}

// alone is one node that does not run yet.
func alone(t *testing.T) (w *world, a *node) {
	t.Helper()
	w = newWorld(t, lab.Shape{})
	return w, w.node(w.A)
}

// Metrics on a loopback address are there for this host alone.
func TestMetricsOnLoopback(t *testing.T) {
	t.Parallel()
	w, a := alone(t)
	text, err := os.ReadFile(a.Config)
	w.ok(err)
	w.ok(os.WriteFile(a.Config, append([]byte("metrics = \"127.0.0.1:9586\"\n"), text...), 0o600))
	a.up()
	inside := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return w.A.DialTCP(ctx, netip.MustParseAddrPort("127.0.0.1:9586"))
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: inside}}).Get("http://127.0.0.1:9586/metrics")
	w.ok(err)
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	w.ok(err)
	body := string(b)
	if !strings.Contains(body, "l2tun_peers 0") {
		t.Errorf("%.300s", body)
	}
	a.stop()
	w.ok(os.WriteFile(a.Config, append([]byte("metrics = \"0.0.0.0:9586\"\n"), text...), 0o600))
	w.refused(w.l2tun(w.A, "up", "--config", a.Config), exitUsage, "metrics: 0.0.0.0:9586 is not a loopback address")
}

// Log lines in the journal's form begin with their priority and have no time.
func TestLogForTheJournal(t *testing.T) {
	t.Parallel()
	w, a := alone(t)
	log, err := os.Create(a.Log)
	w.ok(err)
	defer log.Close()
	info, err := log.Stat()
	w.ok(err)
	st := info.Sys().(*syscall.Stat_t)
	cmd := w.A.Command(w.Context(), w.program, "up", "--config", a.Config, "--socket", a.Socket, "--log-format", "json")
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "JOURNAL_STREAM="+jsonNumber(uint64(st.Dev))+":"+jsonNumber(st.Ino))
	w.ok(cmd.Start())
	a.waitLog(1, "node is up")
	w.ok(cmd.Stop(20 * time.Second))
	text, err := os.ReadFile(a.Log)
	w.ok(err)
	for line := range strings.Lines(string(text)) {
		if !regexp.MustCompile(`^<[3-7]>\{"level":`).MatchString(line) {
			t.Errorf("%q", line)
		}
	}
}

func jsonNumber(n uint64) string { b, _ := json.Marshal(n); return string(b) }
