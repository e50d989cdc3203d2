package doctor

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/health"
	"github.com/libertaria-project/l2tun/transport"
)

func codes(r *Report) (all []string) {
	for _, f := range r.Findings {
		all = append(all, f.Code)
	}
	return all
}

// a config with a key, and nobody as a peer.
func newConfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n.toml")
	if _, err := config.Init(config.InitSpec{Path: path, Interface: "l2doctor0", Listen: "127.0.0.1:42421"}); err != nil {
		t.Fatal(err)
	}
	return path
}

// fakeNode is a node that says what it is told to.
type fakeNode struct {
	control.Handler
	status control.Status
}

func (f fakeNode) Status(context.Context) (*control.Status, error) { return &f.status, nil }

func serve(t *testing.T, s control.Status) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "n.sock")
	srv, err := control.NewServer(socket, fakeNode{status: s}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve() }()
	t.Cleanup(func() { srv.Close(); <-done })
	return socket
}

func TestNodeOfAnotherVersionAndItsOwnFindings(t *testing.T) {
	path := newConfig(t)
	socket := serve(t, control.Status{Program: "l2tun 0.0.1", Config: path, ConfigDigest: "other",
		Health: []control.Finding{{Code: health.Silent, Level: control.LevelError, About: "bob", What: "x", Do: "y"}}})
	r := Run(t.Context(), Options{ConfigPath: path, Socket: socket, Offline: true})
	if got := codes(r); !slices.Equal(got, []string{health.Silent, health.Drift, health.OtherVersion}) || r.Exit() != ExitErrors || len(r.Checks) != 9 {
		t.Errorf("%v, exit %d, %v", got, r.Exit(), r.Checks)
	}
}

// The config is held against the node's however its path is written.
func TestDriftByARelativePath(t *testing.T) {
	path := newConfig(t)
	socket := serve(t, control.Status{Program: control.Program(), Config: path, ConfigDigest: "other"})
	t.Chdir(filepath.Dir(path))
	r := Run(t.Context(), Options{ConfigPath: filepath.Base(path), Socket: socket, Offline: true})
	if got := codes(r); !slices.Contains(got, health.Drift) {
		t.Errorf("%v", got)
	}
}

// A blocked path explains a peer that does not answer.
func TestSilenceIsNotSaidTwice(t *testing.T) {
	e := &exam{}
	e.find(health.Silent, control.LevelError, "bob", "", "")
	e.find(health.Silent, control.LevelError, "eve", "", "")
	e.find(health.UDPBlocked, control.LevelWarning, "bob", "", "")
	if r := e.end(); !slices.Equal(codes(r), []string{health.Silent, health.UDPBlocked}) || r.Findings[0].About != "eve" {
		t.Errorf("%+v", r.Findings)
	}
}

func TestSmallBuffers(t *testing.T) {
	e := &exam{}
	e.judgeBuffers(transport.Buffers{Receive: 4 << 20, Send: 1 << 20, WantReceive: 4 << 20, WantSend: 1 << 20})
	e.judgeBuffers(transport.Buffers{Receive: 2 << 20, Send: 1 << 19, WantReceive: 4 << 20, WantSend: 1 << 20})
	if len(e.report.Findings) != 0 {
		t.Errorf("%+v", e.report.Findings)
	}
	e.judgeBuffers(transport.Buffers{Receive: 212992, Send: 212992, WantReceive: 4 << 20, WantSend: 1 << 20})
	r := e.end()
	if !slices.Equal(codes(r), []string{health.Buffers, health.Buffers}) || r.Exit() != ExitWarnings ||
		!slices.Equal(r.Findings[0].Run, []string{"sysctl -w net.core.rmem_max=4194304"}) || !slices.Equal(r.Findings[1].Run, []string{"sysctl -w net.core.wmem_max=1048576"}) {
		t.Errorf("%+v", r.Findings)
	}
}

func TestClockBeforeTheProgram(t *testing.T) {
	e := &exam{o: Options{ConfigPath: newConfig(t)}, now: time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)}
	e.lookAtClock(t.Context())
	if !slices.Equal(codes(e.end()), []string{health.Clock}) {
		t.Errorf("%+v", e.report.Findings)
	}
}

func TestCapabilities(t *testing.T) {
	for text, want := range map[string]bool{"Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n": true, "CapEff:\t0000000000000000\n": false,
		"CapEff:\t0000000000001000\n": true, "CapEff:\t000001ffffffefff\n": false} {
		if got, err := parseCaps(text); err != nil || got != want {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "CapEff: xyz\n"} {
		if _, err := parseCaps(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Without config, key and node there is a finding for each, and no panic.
func TestNothingIsThere(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.toml")
	r := Run(t.Context(), Options{ConfigPath: none, Socket: none + ".sock"})
	for _, want := range []string{health.Config, health.Key, health.NoNode} {
		if !slices.Contains(codes(r), want) {
			t.Errorf("no %s in %v", want, codes(r))
		}
	}
	if r.Exit() != ExitErrors {
		t.Error(r.Exit())
	}
}

// Each code is documented, and the document names no other.
func TestEachCodeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "### L2T-"); ok {
			there = append(there, "L2T-"+rest[:3])
		}
	}
	if !slices.Equal(there, health.Codes()) {
		t.Errorf("documented are\n%v, and there are\n%v", there, health.Codes())
	}
}
