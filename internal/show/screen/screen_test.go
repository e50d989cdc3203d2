package screen

import (
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func node() *control.Status {
	return &control.Status{Interface: "l2tun0", DID: "did:morpheus:zQmYwAPJzv5CZsnAzt8auVZRn1pfejgNdWXLsQYpTkKPWb", Listen: "[::]:4242",
		Addresses: []string{"fdcc:1234:5678:9abc:def0:1234:5678:9abc/128", "10.9.0.1/24"}, Peers: []control.Peer{
			{DID: "did:morpheus:zb", Name: "berlin", Addresses: []string{"10.9.0.2", "fd4c::2"}, State: "established", Link: "quic", Carrier: "direct", Endpoint: "192.0.2.1:4242", Epoch: 3,
				Rekeyed: control.Rekeyed{Handshakes: 4, HandshakeAgeMS: 3_672_900, EpochAgeMS: 72_000}, RTTMS: 1.25, MTU: 1420, Traffic: control.Traffic{RxBytes: 1268777, TxBytes: 864256, RxRate: 2048, TxRate: 10}, Waiting: control.Waiting{Queued: 1, Messages: 2},
				Dropped: map[string]uint64{"replayed": 2, "bad_source": 1}},
			{DID: "did:morpheus:zQmPK1s3pNYLi9ERiq3BDxKa4XosgWwFRQUydHUtz4YgpqB", State: "failed", Reason: "timeout", Endpoint: "[2001:db8:1234:5678:9abc:def0:1234:5678]:4242"},
			{Name: "oslo", Addresses: []string{"10.9.0.30"}, State: "established", Link: "utcp", Carrier: "utcp", Prefer: "direct"},
		},
		Health: []control.Finding{{Code: "L2T-503", Level: "error", About: "…Utz4YgpqB", What: "no answer at [2001:db8::1]:4242", Do: "check that l2tun runs there"}}}
}

func TestStatusAt80Columns(t *testing.T) {
	want := `l2tun0  did:morpheus:zQmYwAPJzv5CZsnAzt8auVZRn1pfejgNdWXLsQYpTkKPWb
  10.9.0.1/24, fdcc:1234:5678:9abc:def0:1234:5678:9abc/128,
  listening on [::]:4242

PEER       ADDRESS    STATE        TRANSPORT   RTT     IN         OUT
berlin     10.9.0.2   established  udp-direct  1.2 ms  2.0 KiB/s  10 B/s
…tz4YgpqB  -          failed       -           -       -          -
oslo       10.9.0.30  established  tcp         -       -          -
  berlin: 1 packet waiting for a path; 2 messages not acknowledged yet;
    dropped 1 bad_source, 2 replayed
  oslo: prefers udp-direct

health
  L2T-503 error: …Utz4YgpqB: no answer at [2001:db8::1]:4242
    -> check that l2tun runs there
`
	if d := cmp.Diff(want, Status(node(), 80, Paint{})); d != "" {
		t.Error(d)
	}
}

// A node that asks routers says so, and what they give.
func TestStatusSaysThatRoutersAreAsked(t *testing.T) {
	for want, m := range map[string]control.PortMapping{
		"": {}, "no port mapping yet": {Enabled: true, Routers: []control.RouterStatus{{State: "asking"}}},
		"port mapping 203.0.113.7:4242 (pcp) and [2001:db8::2]:4242 (upnp)": {Enabled: true, Routers: []control.RouterStatus{{External: "203.0.113.7:4242", Protocol: "pcp"}, {External: "[2001:db8::2]:4242", Protocol: "upnp"}}},
	} {
		s := node()
		s.Mapping = m
		text := Status(s, 200, Paint{})
		if strings.Contains(text, "port mapping") != (want != "") || !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// On a wide screen endpoints are in the table.
func TestStatusAt140Columns(t *testing.T) {
	text := Status(node(), 140, Paint{})
	for _, want := range []string{
		"PEER       ADDRESS    STATE        TRANSPORT   RTT     IN         OUT     ENDPOINT\n",
		"berlin     10.9.0.2   established  udp-direct  1.2 ms  2.0 KiB/s  10 B/s  192.0.2.1:4242\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// At any width no line is wider, and names, states and findings are there; on a
// narrow screen, which has no table, nothing is lost.
func TestStatusAtAnyWidth(t *testing.T) {
	for width := range 160 {
		text := Status(node(), width, Paint{})
		for line := range strings.Lines(text) {
			if w := lipgloss.Width(strings.TrimSuffix(line, "\n")); w > max(width, MinWidth)+1 {
				t.Fatalf("width %d: a line of %d: %q", width, w, line)
			}
		}
		got := strings.Join(strings.Fields(text), "")
		words := []string{"berlin", "10.9.0.2", "established", "L2T-503", "1packetwaiting", "2messagesnotacknowledged"}
		if width < narrow {
			words = append(words, "192.0.2.1:4242", "844KiBout", "did:morpheus:zQmPK1s3pNYLi9ERiq3BDxKa4XosgWwFRQUydHUtz4YgpqB")
		}
		for _, word := range words {
			if !strings.Contains(got, word) {
				t.Fatalf("width %d: %q is not in\n%s", width, word, text)
			}
		}
	}
}

// The zone of a link-local endpoint is the interface's name.
func TestZoneIsAName(t *testing.T) {
	name := func(i int) string { return map[int]string{2: "eth0"}[i] }
	for in, want := range map[string]string{"[fe80::1%2]:4242": "[fe80::1%eth0]:4242", "[fe80::1%9]:4242": "[fe80::1%9]:4242",
		"[fe80::1%wlan0]:4242": "[fe80::1%wlan0]:4242", "192.0.2.1:4242": "192.0.2.1:4242", "": ""} {
		if got := named(in, name); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// Findings of one kind are one, with the commands that help.
func TestFindingsOfOneKindAreOne(t *testing.T) {
	var all []control.Finding
	for _, name := range []string{"host1", "host2", "host3", "host4", "host5", "host6", "host7", "host8", "host9"} {
		all = append(all, control.Finding{Code: "L2T-501", Level: "error", About: name, What: "handshake refused: x", Do: "add it", RunThere: []string{"l2tun peer add did:me"}})
	}
	want := `  L2T-501 error: host1, host2, host3 and 6 more (9 peers): handshake refused: x
    -> add it
       on the peer: l2tun peer add did:me`
	if got := strings.Join(Findings(all, 100, Paint{}), "\n"); got != want {
		t.Errorf("%s", got)
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
