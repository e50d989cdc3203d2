package screen

import (
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/internal/control"
)

func node() *control.Status {
	return &control.Status{Interface: "l2tun0", DID: "did:morpheus:zQmYwAPJzv5CZsnAzt8auVZRn1pfejgNdWXLsQYpTkKPWb", Listen: "[::]:4242",
		Addresses: []string{"fdcc:1234:5678:9abc:def0:1234:5678:9abc/128", "10.9.0.1/24"}, Peers: []control.Peer{
			{DID: "did:morpheus:zb", Name: "berlin", State: "established", Link: "quic", Carrier: "direct", Endpoint: "192.0.2.1:4242", Epoch: 3, EpochAgeMS: 72_000,
				Handshakes: 4, HandshakeAgeMS: 3_672_900, RTTMS: 1.25, MTU: 1420, RxBytes: 1268777, TxBytes: 864256, RxRate: 2048, TxRate: 10, Queued: 1,
				Dropped: map[string]uint64{"replayed": 2, "bad_source": 1}},
			{DID: "did:morpheus:zQmPK1s3pNYLi9ERiq3BDxKa4XosgWwFRQUydHUtz4YgpqB", State: "failed", Reason: "timeout", Endpoint: "[2001:db8:1234:5678:9abc:def0:1234:5678]:4242"},
			{Name: "oslo", State: "established", Link: "utcp", Carrier: "utcp", Prefer: "direct"},
		},
		Health: []control.Finding{{Code: "L2T-503", Level: "error", About: "…Utz4YgpqB", What: "does not answer at [2001:db8::1]:4242", Do: "check that l2tun runs there"}}}
}

func TestStatusAt80Columns(t *testing.T) {
	want := `l2tun0  did:morpheus:zQmYwAPJzv5CZsnAzt8auVZRn1pfejgNdWXLsQYpTkKPWb
  fdcc:1234:5678:9abc:def0:1234:5678:9abc/128, 10.9.0.1/24,
  listening on [::]:4242

berlin  established  quic, direct  192.0.2.1:4242
  rtt 1.2 ms, in 2.0 KiB/s, out 10 B/s, total 1.2 MiB in, 844 KiB out, mtu 1420,
  handshake 1h01m ago, epoch 3 for 1m12s
  1 packet waiting for a path; dropped 1 bad_source, 2 replayed
did:morpheus:zQmPK1s3pNYLi9ERiq3BDxKa4XosgWwFRQUydHUtz4YgpqB  failed (timeout)
  [2001:db8:1234:5678:9abc:def0:1234:5678]:4242
oslo  established  utcp (prefers direct)

health
  L2T-503 error: …Utz4YgpqB does not answer at [2001:db8::1]:4242
    -> check that l2tun runs there
`
	if d := cmp.Diff(want, Status(node(), 80, Paint{})); d != "" {
		t.Error(d)
	}
}

// At any width no line is wider, and nothing is lost.
func TestStatusAtAnyWidth(t *testing.T) {
	whole := strings.Join(strings.Fields(Status(node(), 1000, Paint{})), "")
	for width := range 120 {
		text := Status(node(), width, Paint{})
		for line := range strings.Lines(text) {
			if w := lipgloss.Width(strings.TrimSuffix(line, "\n")); w > max(width, MinWidth)+1 {
				t.Fatalf("width %d: a line of %d: %q", width, w, line)
			}
		}
		// Only separators at the ends of lines come and go.
		got := strings.Join(strings.Fields(text), "")
		for _, word := range []string{"berlin", "established", "192.0.2.1:4242", "844KiBout", "L2T-503", "did:morpheus:zQmPK1s3pNYLi9ERiq3BDxKa4XosgWwFRQUydHUtz4YgpqB"} {
			if !strings.Contains(got, word) {
				t.Fatalf("width %d: %q is not in\n%s", width, word, text)
			}
		}
		if len(got) > len(whole)+10 {
			t.Fatalf("width %d: %d letters, not %d", width, len(got), len(whole))
		}
	}
}

func TestColoursOnlyWhenAsked(t *testing.T) {
	if strings.Contains(Status(node(), 80, Paint{}), "\x1b") || !strings.Contains(Status(node(), 80, Paint{Color: true}), "\x1b[") {
		t.Error("colours are wrong")
	}
}

func TestSparkAndCut(t *testing.T) {
	for _, c := range []struct {
		values []float64
		width  int
		want   string
	}{{nil, 5, ""}, {[]float64{0, 0}, 5, "▁▁"}, {[]float64{9, 0, 1, 2, 4, 8}, 5, "▁▁▂▄█"}, {[]float64{1}, 0, ""}, {[]float64{-1, 1}, 9, "▁█"}} {
		if got := Spark(c.values, c.width); got != c.want {
			t.Errorf("%v: %q, want %q", c, got, c.want)
		}
	}
	if got := []string{Cut("berlin", 6), Cut("berlin", 4), Cut("berlin", 1), Cut("berlin", 0), Pad("a", 3), Pad("abcd", 3)}; !slices.Equal(got, []string{"berlin", "ber…", "…", "", "a  ", "ab…"}) {
		t.Errorf("%q", got)
	}
}
