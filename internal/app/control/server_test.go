package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/test/faults"
)

type fakeNode struct {
	status *Status
	err    error
	downs  chan struct{}
	within time.Duration // of the last reload that is to be confirmed

	rotate  func(ctx context.Context, peer string) ([]Rotated, error)
	send    func(ctx context.Context, peer string, msg []byte) error
	receive func(ctx context.Context, peer string, give func(Message) error) error
	events  func(ctx context.Context, follow bool, show func(Event) error) error
}

func (f *fakeNode) Status(context.Context) (*Status, error) { return f.status, f.err }
func (f *fakeNode) Down()                                   { f.downs <- struct{}{} }
func (f *fakeNode) Reload(context.Context) error            { return f.err }
func (f *fakeNode) Confirm(context.Context) error           { return f.err }
func (f *fakeNode) ReloadUnlessUnconfirmed(_ context.Context, d time.Duration) error {
	f.within = d
	return f.err
}
func (f *fakeNode) Rotate(ctx context.Context, peer string) ([]Rotated, error) {
	return f.rotate(ctx, peer)
}
func (f *fakeNode) Send(ctx context.Context, peer string, msg []byte) error {
	return f.send(ctx, peer, msg)
}
func (f *fakeNode) Receive(ctx context.Context, peer string, give func(Message) error) error {
	return f.receive(ctx, peer, give)
}
func (f *fakeNode) Events(ctx context.Context, follow bool, show func(Event) error) error {
	return f.events(ctx, follow, show)
}

func start(t *testing.T, f Handler) (*Server, *Client) {
	t.Helper()
	s, c := prepare(t, f)
	serve(t, s)
	return s, c
}

func prepare(t *testing.T, f Handler) (*Server, *Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "n.sock")
	s, err := NewServer(path, f, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, New(path)
}

// serve runs s until the test ends.
func serve(t *testing.T, s *Server) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func TestStatusTravelsWhole(t *testing.T) {
	want := &Status{Version: 1, Program: "l2tun x", Interface: "a", DID: "did:b", Addresses: []string{"fd00::1/128"}, Listen: "[::]:1",
		Host:    Host{Repaired: 2, Repairs: 1, RepairAgeMS: 3, LastRepaired: []string{"route 10.0.0.0/8"}, Missing: []string{"x"}, Taken: []Taken{{"10.1.0.0/16", "eth0"}}, NoIPv6: true},
		Sandbox: Sandbox{987, []string{"y"}},
		Mapping: PortMapping{true, []RouterStatus{{"192.168.1.1", "192.168.1.2", "held", "pcp", "203.0.113.7:4242", 19, true, "no_answer"}}}, Spray: true,
		Names:  Names{"auto", "hosts", "no resolved", "127.108.50.53:53", "a", "pc", 3, []string{"my phone"}, []NameClash{{"nas", []string{"", "work"}}}, true, 4},
		Config: "/etc/x.toml", ConfigDigest: "ab", Health: []Finding{{"L2T-501", LevelError, "n", "refuses", "do", []string{"l2tun id"}, []string{}}},
		Misrouted: []Misrouted{{"bad_source", "did:c", "10.9.0.7", "n", 14, 15}}, Filtered: []Filtered{{"filter_not_granted", "did:c", "10.9.0.1", "tcp:22", 19, 20}}, Faults: 16, Networks: []Network{{Name: "home", ID: "i", Serial: 19, Role: "admin", Members: 20, Findings: []NetworkFinding{{"name_taken", "did:d", "t"}}}}, Outdated: []string{"192.0.2.9"},
		Peers: []Peer{{DID: "did:c", Name: "n", Addresses: []string{"10.9.0.2"}, AllowedIPs: []string{"10.9.0.2/32"}, State: "established", Reason: "timeout", Link: "quic", Carrier: "direct", Endpoint: "192.0.2.1:2",
			Suite: "s", Epoch: 3, Rekeyed: Rekeyed{4, 5, 13}, RTTMS: 6.5, Traffic: Traffic{RxBytes: 7, TxBytes: 8, RxPackets: 9, TxPackets: 10, RxRate: 1.5, TxRate: 2.5}, Waiting: Waiting{11, 17, 18},
			Standing: Standing{Network: "home", Hub: true, Limited: true}, Prefer: "utcp",
			Dropped: map[string]uint64{"replayed": 12},
			Trouble: Trouble{Obstacles: []Obstacle{{"no_route", "192.0.2.1:2"}}, Duplicates: []string{"192.0.2.2:2"}, Displaced: true}}}}
	_, c := start(t, &fakeNode{status: want})
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestStatusJSONHasEveryFieldAndNoNull(t *testing.T) {
	_, c := start(t, &fakeNode{status: &Status{Peers: []Peer{{}}}})
	resp, err := c.http.Get("http://x/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if strings.Contains(string(body), "null") {
		t.Error(string(body))
	}
	var doc struct {
		Peers []map[string]any
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range strings.Fields(`did name addresses allowed_ips state reason link carrier endpoint inbound local seen_as room mtu suite epoch handshakes handshake_age_ms
		rtt_ms rx_bytes tx_bytes rx_packets tx_packets queued messages_waiting message_bytes_waiting dropped
		rx_rate tx_rate epoch_age_ms prefer trouble through through_name why_not_direct hub network limited`) {
		if _, ok := doc.Peers[0][key]; !ok {
			t.Errorf("peer has no %s", key)
		}
		delete(doc.Peers[0], key)
	}
	if len(doc.Peers[0]) > 0 {
		t.Error("unlisted fields:", doc.Peers[0])
	}
}

func TestStatusDoesNotWriteIntoTheNode(t *testing.T) {
	kept := &Status{Peers: []Peer{{}}}
	_, c := start(t, &fakeNode{status: kept})
	if _, err := c.Status(t.Context()); err != nil || kept.Peers[0].Dropped != nil || kept.Addresses != nil {
		t.Error(kept, err)
	}
}

func TestRefusalsReachTheCallerAsTheyAre(t *testing.T) {
	_, c := start(t, &fakeNode{err: errors.New("x.toml:3:1: colour: unknown key")})
	for want, err := range map[int]error{422: c.Reload(t.Context()), 500: second(c.Status(t.Context()))} {
		var ae *APIError
		if !errors.As(err, &ae) || ae.Code != want || ae.Msg != "x.toml:3:1: colour: unknown key" {
			t.Errorf("%d: %v", want, err)
		}
	}
}

func second(_ *Status, err error) error { return err }

func TestDownReturnsWhenTheSocketIsGone(t *testing.T) {
	f := &fakeNode{status: &Status{Interface: "no such one"}, downs: make(chan struct{}, 1)}
	s, c := start(t, f)
	done := make(chan error, 1)
	go func() { done <- c.Down(context.Background()) }()
	<-f.downs
	select {
	case err := <-done:
		t.Fatal("returned while the node stops:", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(s.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestDownGivesUpOnANodeThatStays(t *testing.T) {
	_, c := start(t, &fakeNode{err: errors.New("no status"), downs: make(chan struct{}, 1)})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := c.Down(ctx); err == nil || !strings.HasSuffix(err.Error(), "was asked to stop and still runs") {
		t.Error(err)
	}
}

func TestWrongCallsGetJSONErrors(t *testing.T) {
	_, c := start(t, &fakeNode{})
	for _, call := range []struct {
		method, path string
		code         int
	}{{"POST", "/v1/status", 405}, {"GET", "/v1/down", 405}, {"GET", "/v1/reload", 405},
		{"GET", "/v1/rotate", 405}, {"GET", "/v1/send", 405}, {"GET", "/v1/receive", 405}, {"POST", "/v1/events", 405}, {"GET", "/", 404}, {"POST", "/v2/status", 404}} {
		err := c.call(t.Context(), call.method, call.path, nil)
		var ae *APIError
		if !errors.As(err, &ae) || ae.Code != call.code || strings.HasPrefix(ae.Msg, "the node answered") {
			t.Errorf("%s %s: %v", call.method, call.path, err)
		}
	}
	faults.Report(t, "C11", true, "wrong calls: 404 and 405")
}

func TestOnlyTheOwnerMayOpenTheSocket(t *testing.T) {
	s, _ := start(t, &fakeNode{})
	info, err := os.Lstat(s.Path())
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Error(info.Mode(), err)
	}
	faults.Report(t, "C11", true, "mode 0600")
}

func TestServerReplacesAStaleSocketOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := NewServer(path, &fakeNode{}, log); !errors.Is(err, ErrRunning) {
		t.Error("took a socket that answers:", err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	s, err := NewServer(path, &fakeNode{}, log)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	os.WriteFile(path, nil, 0o600)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error("Close removed a file that is not its socket")
	}
	if _, err := NewServer(path, &fakeNode{}, log); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Error(err)
	}
	faults.Report(t, "C11", true, "a stale socket is replaced, a file or a live one is not")
}

func TestCloseWithoutServeAndTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.sock")
	s, err := NewServer(path, &fakeNode{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if answers(path) {
		t.Error("still listens")
	}
}

func TestLongSocketPathIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 108))
	if _, err := NewServer(path, &fakeNode{}, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "the system allows 107") {
		t.Error(err)
	}
}

func TestASilentConnectionDoesNotHoldUpOthers(t *testing.T) {
	s, c := start(t, &fakeNode{status: &Status{}})
	for range maxConns - 1 {
		conn, err := net.Dial("unix", s.Path())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOversizedRequestIsRefused(t *testing.T) {
	s, c := start(t, &fakeNode{status: &Status{}})
	req, _ := http.NewRequest("GET", "http://x/v1/status", nil)
	req.Header.Set("X", strings.Repeat("x", 2*maxHeaders))
	resp, err := c.http.Do(req)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Error(resp.Status)
		}
	}
	if _, err := New(s.Path()).Status(t.Context()); err != nil {
		t.Error(err)
	}
	faults.Report(t, "C11", true, "headers of 32 KiB: 431")
}
