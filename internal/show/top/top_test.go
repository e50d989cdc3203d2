package top

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

// fakeNode answers like a node and remembers what it was asked to do.
type fakeNode struct {
	mu     sync.Mutex
	status control.Status
	asked  []string
	off    string // carrier that is switched off
}

func (f *fakeNode) Status(context.Context) (*control.Status, error) { s := f.status; return &s, nil }
func (f *fakeNode) Events(_ context.Context, _ bool, show func(control.Event) error) error {
	return nil
}
func (f *fakeNode) Rotate(_ context.Context, peer string) ([]control.Rotated, error) {
	f.note("rotate " + peer)
	return []control.Rotated{{DID: peer, Epoch: 4}}, nil
}
func (f *fakeNode) Prefer(_ context.Context, peer, carrier string) error {
	f.note("prefer " + peer + " " + carrier)
	if carrier == f.off {
		return errors.New("switched off")
	}
	return nil
}
func (f *fakeNode) note(s string) { f.mu.Lock(); f.asked = append(f.asked, s); f.mu.Unlock() }

var begun = time.Date(2026, 11, 23, 10, 1, 2, 0, time.Local)

// sample is the node after so many seconds; berlin gets 1 MiB and sends 10 KiB
// in second i, times i.
func sample(second int) Sample {
	n := uint64(second * (second + 1) / 2)
	return Sample{At: begun.Add(time.Duration(second) * time.Second), Status: &control.Status{Interface: "l2tun0",
		Peers: []control.Peer{
			{DID: "did:b", Name: "berlin", Addresses: []string{"10.9.0.2", "fd4c::2"}, State: "established", Link: "quic", Carrier: "direct", Endpoint: "192.0.2.1:4242", Epoch: 3, Rekeyed: control.Rekeyed{EpochAgeMS: 72_000},
				RTTMS: float64(second), Traffic: control.Traffic{RxBytes: n << 20, TxBytes: n * 10 << 10}, Dropped: map[string]uint64{"replayed": 2}},
			{DID: "did:t", Name: "tokyo-west-2-rack-17", State: "handshake_initiated", Reason: "timeout", Endpoint: "[2001:db8::1]:4242"},
		},
		Health: []control.Finding{{Code: "L2T-503", Level: "error", About: "tokyo-west-2-rack-17", What: "no answer at [2001:db8::1]:4242", Do: "check that l2tun runs there"}}},
		Events: []control.Event{
			{Time: begun, Peer: "did:b", From: "idle", To: "handshake_initiated", Cause: "initiate_handshake"},
			{Time: begun, Peer: "did:t", From: "idle", To: "failed", Reason: "timeout", Cause: "timeout"},
			{Time: begun.Add(time.Second), Peer: "did:b", From: "handshake_initiated", To: "established", Cause: "receive_response"},
		}}
}

func press(key string) tea.KeyPressMsg {
	special := map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "esc": tea.KeyEscape}
	if code, ok := special[key]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	return tea.KeyPressMsg{Code: rune(key[0]), Text: key}
}

func play(m *Model, msgs ...tea.Msg) {
	for _, msg := range msgs {
		m.Update(msg)
	}
}

func newModel(f *fakeNode) *Model {
	return New(context.Background(), f, time.Second, screen.Paint{})
}

func TestScreenAt80Columns(t *testing.T) {
	m := newModel(new(fakeNode))
	play(m, tea.WindowSizeMsg{Width: 80, Height: 40}, sample(0), sample(1), sample(2), sample(3), sample(4))
	want := `l2tun0  2 peers  10:01:06  1 error

> berlin      established 10.9.0.2 udp-direct 4.0 ms ↓ 4.0 MiB/s ↑  40 KiB/s ▄▆█
  tokyo-west… connecting                             ↓     0 B/s ↑     0 B/s ▁▁▁

berlin  established  192.0.2.1:4242
  10.9.0.2; fd4c::2; udp-direct; epoch 3 for 1m12s; dropped 2 replayed
  in   ▂▄▆█ 4.0 MiB/s
  out  ▂▄▆█ 40 KiB/s
  rtt  ▂▄▆█ 4.0 ms

  L2T-503 error: tokyo-west-2-rack-17: no answer at [2001:db8::1]:4242
    -> check that l2tun runs there

history
  10:01:02  idle -> connecting  initiate_handshake
  10:01:03  connecting -> established  receive_response

q quit  ↑↓ peer  r rotate  c carrier`
	if d := cmp.Diff(want, m.View().Content); d != "" {
		t.Error(d)
	}
	if !m.View().AltScreen {
		t.Error("not on a screen of its own")
	}
}

func TestScreenAt20Columns(t *testing.T) {
	m := newModel(new(fakeNode))
	play(m, tea.WindowSizeMsg{Width: 20, Height: 100}, sample(0), sample(1), sample(2))
	want := `l2tun0  2 peers  10…

> berlin   up
  tokyo-w… connecti…

berlin  established…
  10.9.0.2; fd4c::2…
  in   ▄█ 2.0 MiB/s
  out  ▄█ 20 KiB/s
  rtt  ▄█ 2.0 ms

  L2T-503 error:
    tokyo-west-2-
    rack-17: no
    answer at
    [2001:db8::1]:4
    242
    -> check that
       l2tun runs
       there

history
  10:01:02 connecti…
  10:01:03 up

q quit  ↑↓ peer  r …`
	if d := cmp.Diff(want, m.Text()); d != "" {
		t.Error(d)
	}
}

// Networks have a line of their own, if there are any.
func TestScreenNamesTheNetworks(t *testing.T) {
	m := newModel(new(fakeNode))
	in := sample(0)
	in.Status.Networks = []control.Network{{Name: "home", Role: "admin", Serial: 3, Members: 10, Findings: []control.NetworkFinding{{Code: "network_fork"}}}, {Name: "office", Role: "member", Members: 2}}
	play(m, tea.WindowSizeMsg{Width: 100, Height: 40}, in)
	lines := strings.Split(m.Text(), "\n")
	want := []string{"l2tun0  2 peers  10:01:02  1 error", "network home (admin of 10, 1 to look at: status --json), network office (member of 2)", ""}
	if d := cmp.Diff(want, lines[:3]); d != "" {
		t.Error(d)
	}
}

// Any window: no wider, no longer, no panic.
func TestScreenFitsAnyWindow(t *testing.T) {
	for width := range 130 {
		for _, height := range []int{1, 2, 5, 10, 24, 60} {
			m := newModel(new(fakeNode))
			play(m, tea.WindowSizeMsg{Width: width, Height: height})
			m.Text()
			play(m, sample(0), sample(1), press("down"), sample(2))
			text := m.Text()
			lines := strings.Split(text, "\n")
			if len(lines) > max(height, 2) {
				t.Fatalf("%d x %d: %d lines", width, height, len(lines))
			}
			for _, line := range lines {
				if w := lipgloss.Width(line); w > max(width, screen.MinWidth) {
					t.Fatalf("%d x %d: a line of %d: %q", width, height, w, line)
				}
			}
		}
	}
}

// Keys ask the node; what came of it is shown.
func TestKeys(t *testing.T) {
	f := &fakeNode{off: "direct"}
	m := newModel(f)
	if _, cmd := m.Update(press("r")); cmd != nil {
		t.Error("rotates without a peer")
	}
	play(m, sample(0), press("down"), press("down"), press("down"))
	act := func(key, said string) {
		t.Helper()
		_, cmd := m.Update(press(key))
		if cmd == nil {
			t.Fatalf("%s does nothing", key)
		}
		m.Update(cmd())
		if !strings.Contains(m.Text(), "\n"+said+"\n") {
			t.Errorf("%s: %s", key, m.Text())
		}
	}
	act("r", "new keys with tokyo-west-2-rack-17")
	play(m, press("up"))
	act("c", "berlin prefers quic")
	m.status.Peers[0].Prefer = link.Names()[len(link.Names())-1] // behind the last comes the best
	act("c", "berlin uses the best transport")
	want := "rotate did:t|prefer did:b direct|prefer did:b datagram|prefer did:b "
	if got := strings.Join(f.asked, "|"); got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	for _, key := range []string{"q", "esc"} {
		if _, cmd := m.Update(press(key)); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%s does not quit", key)
		}
	}
}

// What a key came to is shown for a while.
func TestMessagesGoAway(t *testing.T) {
	m := newModel(new(fakeNode))
	play(m, sample(0), done{"berlin prefers tcp"}, sample(1))
	if !strings.Contains(m.Text(), "prefers tcp") {
		t.Error(m.Text())
	}
	play(m, sample(7))
	if strings.Contains(m.Text(), "prefers tcp") {
		t.Error(m.Text())
	}
}

// A high window shows more of the past.
func TestHistoryFillsTheWindow(t *testing.T) {
	m := newModel(new(fakeNode))
	s := sample(0)
	s.Status.Health = nil
	for range 50 {
		s.Events = append(s.Events, s.Events[0])
	}
	play(m, tea.WindowSizeMsg{Width: 120, Height: 50}, s)
	if n := strings.Count(m.Text(), "idle -> connecting"); n < 30 || strings.Count(m.Text(), "\n") != 49 {
		t.Errorf("%d changes in\n%s", n, m.Text())
	}
}

// A node that goes away leaves what was shown, and the reason.
func TestNodeThatIsGone(t *testing.T) {
	m := newModel(new(fakeNode))
	play(m, sample(0), sample(1), Sample{At: begun.Add(2 * time.Second), Err: errors.New("no node runs")})
	if text := m.Text(); !strings.Contains(text, "berlin") || !strings.Contains(text, "no node runs") {
		t.Error(text)
	}
	gone := sample(3)
	gone.Status.Peers = nil
	play(m, press("down"), gone)
	if text := m.Text(); strings.Contains(text, "berlin") || m.cursor != 0 || strings.Contains(text, "no node runs") {
		t.Error(text)
	}
	play(m, press("down"), press("c"), sample(4))
}

func TestOnce(t *testing.T) {
	f := &fakeNode{status: *sample(1).Status}
	text, err := Once(t.Context(), New(t.Context(), f, time.Millisecond, screen.Paint{}), 3, 60)
	if err != nil || !strings.Contains(text, "> berlin") || !strings.HasSuffix(text, "\n") || strings.Contains(text, "q quit") {
		t.Error(text, err)
	}
}

// The program runs the model in something like a terminal and ends at q.
func TestRun(t *testing.T) {
	f := &fakeNode{status: *sample(1).Status}
	in, keys := io.Pipe()
	var out lockedBuffer
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), New(t.Context(), f, 10*time.Millisecond, screen.Paint{}), in, &out, tea.WithWindowSize(80, 24))
	}()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(out.String(), "berlin") && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	keys.Write([]byte("q"))
	select {
	case err := <-ended:
		if err != nil || !strings.Contains(out.String(), "berlin") {
			t.Errorf("%v %q", err, out.String())
		}
	case <-time.After(20 * time.Second):
		t.Fatal("q does not end it")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }
