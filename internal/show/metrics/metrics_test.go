package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// twoPeers is one that is up and one that never was.
func twoPeers() Snapshot {
	counts := session.Counts{Entered: map[string]uint64{"established": 2}, Rotations: 5, Resends: 3, Handshakes: map[string]uint64{"full": 1, "timeout": 3}}
	up := session.Status{State: session.Established, Link: "quic", Carrier: "direct", RTT: 1500 * time.Microsecond, Epoch: 6, EpochAge: 30 * time.Second,
		HandshakeAge: time.Minute, Room: 1452, Counters: session.Counters{Queued: 4, Messages: 3, MessageBytes: 300, Dropped: map[string]uint64{"replayed": 2}}}
	return Snapshot{Version: "1.2.3", Interface: "l2tun0", Stray: map[string]uint64{"no_route": 7}, Transport: transport.Stats{Received: 9},
		Relay: &hub.Status{Homes: 4, Circuits: 2, Counts: relay.Counts{Meetings: 5, Absent: 6, Limited: 1}, Received: relay.Traffic{Datagrams: 7, Bytes: 700},
			Sent: relay.Traffic{Datagrams: 3, Bytes: 300}, Dropped: map[string]relay.Traffic{"over_rate": {Datagrams: 4, Bytes: 400}}, Ignored: 8},
		Networks: []Network{{Name: "home", Role: "admin", Serial: 3, Members: 10, Findings: map[string]int{"network_fork": 1, "name_taken": 2}}, {Name: "office", Role: "none"}},
		Peers: []Peer{
			{Name: "berlin", Status: up, Counts: counts, Carried: map[string]link.Moved{"direct": {RxBytes: 10, TxBytes: 20, RxPackets: 1, TxPackets: 2}}},
			{Name: "tokyo", Status: session.Status{State: session.Failed}},
		}}
}

func TestMetricsAreWellNamed(t *testing.T) {
	problems, err := testutil.CollectAndLint(NewCollector(twoPeers))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsSayWhatTheNodeIs(t *testing.T) {
	want := `
# HELP l2tun_rotations_total Times the keys in use were replaced.
# TYPE l2tun_rotations_total counter
l2tun_rotations_total{peer="berlin"} 5
l2tun_rotations_total{peer="tokyo"} 0
# HELP l2tun_rotation_resends_total Rotation messages sent again, because nothing answered them.
# TYPE l2tun_rotation_resends_total counter
l2tun_rotation_resends_total{peer="berlin"} 3
l2tun_rotation_resends_total{peer="tokyo"} 0
# HELP l2tun_rtt_seconds Round trip time of the path in use.
# TYPE l2tun_rtt_seconds gauge
l2tun_rtt_seconds{peer="berlin"} 0.0015
# HELP l2tun_path_info Link and carrier in use; 1 while there is a path.
# TYPE l2tun_path_info gauge
l2tun_path_info{carrier="direct",link="quic",peer="berlin"} 1
# HELP l2tun_sent_bytes_total Bytes of IP packets that went into the tunnel, by carrier.
# TYPE l2tun_sent_bytes_total counter
l2tun_sent_bytes_total{carrier="direct",peer="berlin"} 20
# HELP l2tun_stray_packets_total Packets and records dropped that belong to no peer, by reason.
# TYPE l2tun_stray_packets_total counter
l2tun_stray_packets_total{reason="fault"} 0
l2tun_stray_packets_total{reason="no_route"} 7
l2tun_stray_packets_total{reason="unknown_id"} 0
`
	err := testutil.CollectAndCompare(NewCollector(twoPeers), strings.NewReader(want), "l2tun_rotations_total", "l2tun_rotation_resends_total", "l2tun_rtt_seconds",
		"l2tun_path_info", "l2tun_sent_bytes_total", "l2tun_stray_packets_total")
	if err != nil {
		t.Error(err)
	}
	text := scrape(t, Handler(NewCollector(twoPeers)))
	for _, line := range []string{
		`l2tun_session_state{peer="berlin",state="established"} 1`, `l2tun_session_state{peer="berlin",state="failed"} 0`,
		`l2tun_session_state{peer="tokyo",state="failed"} 1`, `l2tun_handshakes_total{peer="berlin",result="timeout"} 3`,
		`l2tun_dropped_packets_total{peer="berlin",reason="replayed"} 2`, `l2tun_dropped_packets_total{peer="tokyo",reason="queue_full"} 0`,
		`l2tun_queued_packets{peer="berlin"} 4`, `l2tun_waiting_messages{peer="berlin"} 3`, `l2tun_waiting_message_bytes{peer="berlin"} 300`,
		`l2tun_epoch_age_seconds{peer="berlin"} 30`, `l2tun_transport_events_total{event="received"} 9`, "go_goroutines ", "process_open_fds ",
		"l2tun_relay_circuits 2", "l2tun_relay_homes 4", "l2tun_relay_meetings_total 5", `l2tun_relay_refusals_total{reason="absent"} 6`,
		`l2tun_relay_refusals_total{reason="limit"} 1`, "l2tun_relay_received_bytes_total 700", "l2tun_relay_sent_bytes_total 300",
		"l2tun_relay_received_datagrams_total 7", "l2tun_relay_sent_datagrams_total 3", "l2tun_relay_ignored_frames_total 8",
		`l2tun_network_info{network="home",role="admin"} 1`, `l2tun_network_members{network="home"} 10`, `l2tun_network_serial{network="home"} 3`,
		`l2tun_network_findings{code="network_fork",network="home"} 1`, `l2tun_network_findings{code="name_taken",network="home"} 2`,
		`l2tun_network_info{network="office",role="none"} 1`, `l2tun_network_serial{network="office"} 0`,
		`l2tun_relay_dropped_datagrams_total{reason="over_rate"} 4`, `l2tun_relay_dropped_datagrams_total{reason="wrong_source"} 0`,
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
}

func scrape(t *testing.T, h http.Handler) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatal(w.Code, w.Body)
	}
	return w.Body.String()
}

// One peer costs so many series and no more.
func TestSeriesPerPeerAreFew(t *testing.T) {
	one := twoPeers()
	one.Peers = one.Peers[:1]
	both := testutil.CollectAndCount(NewCollector(twoPeers))
	if n := both - testutil.CollectAndCount(NewCollector(func() Snapshot { return one })); n > 60 {
		t.Errorf("a peer has %d series", n)
	}
}

func TestOnlyLoopbackAndOnlyItsOwnName(t *testing.T) {
	for _, at := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		if _, err := Serve(netip.MustParseAddrPort(at), http.NotFoundHandler()); !errors.Is(err, ErrNotLoopback) {
			t.Error(at, err)
		}
	}
	s, err := Serve(netip.MustParseAddrPort("127.0.0.1:0"), Handler(NewCollector(twoPeers)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for host, code := range map[string]int{"": 200, "localhost:9586": 200, "[::1]": 200, "evil.example": 403} {
		req, _ := http.NewRequest("GET", "http://"+s.Addr().String()+"/metrics", nil)
		req.Host = host
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != code || code == 200 != bytes.Contains(body, []byte("l2tun_peers 2")) {
			t.Errorf("host %q: %d %.100s", host, resp.StatusCode, body)
		}
	}
}

// The dashboard is JSON, and each metric that it asks for exists.
func TestDashboardNamesMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../../docs/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, n := range Names() {
		known[n] = true
	}
	seen := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			names := regexp.MustCompile(`\b(?:l2tun|go|process)_[a-z0-9_]+`).FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s: %q asks for no metric", p.Title, target.Expr)
			}
			for _, n := range names {
				if seen++; !known[n] {
					t.Errorf("%s: there is no metric %s", p.Title, n)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d metrics are asked for", seen)
	}
}

// What a plane counts as sent by a carrier is what is scraped, for each of them.
func TestEveryCarrierIsSeen(t *testing.T) {
	var traffic link.Traffic
	for i, c := range []*link.Kind{link.KindDirect, link.KindDatagram, link.KindUTCP} {
		traffic.Sent(c, i+1, 100*(i+1))
		traffic.Received(c, i+4, 100*(i+4))
	}
	text := scrape(t, Handler(NewCollector(func() Snapshot {
		return Snapshot{Peers: []Peer{{Name: "berlin", Carried: traffic.Carried()}}}
	})))
	for i, c := range []string{"direct", "datagram", "utcp"} {
		for _, line := range []string{
			fmt.Sprintf(`l2tun_sent_packets_total{carrier=%q,peer="berlin"} %d`, c, i+1),
			fmt.Sprintf(`l2tun_sent_bytes_total{carrier=%q,peer="berlin"} %d`, c, 100*(i+1)),
			fmt.Sprintf(`l2tun_received_packets_total{carrier=%q,peer="berlin"} %d`, c, i+4),
		} {
			if !strings.Contains(text, line) {
				t.Errorf("no %s", line)
			}
		}
	}
}

// A node that is no hub has no series about one.
func TestANodeThatIsNoHub(t *testing.T) {
	text := scrape(t, Handler(NewCollector(func() Snapshot { return Snapshot{} })))
	if strings.Contains(text, "l2tun_relay_") {
		t.Error("there are series of a hub")
	}
}
