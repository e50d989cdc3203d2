package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// states are the eight names that people and programs see.
func states() []string {
	return []string{"idle", "handshake_initiated", "handshake_received", "established", "rotating", "degraded", "suspended", "failed"}
}

func TestDetachedNodesAndTheirStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B)
	w.must(w.A, "peer", "add", "--config", a.Config, "--socket", a.Socket, "--name", "bob", "--endpoint", b.endpoint4(),
		"--allowed-ip", b.v4.String()+"/32", b.DID)
	b.knows(a, "")
	for _, n := range []*node{b, a} {
		out := w.must(n.Host, "up", "--detach", "--config", n.Config, "--socket", n.Socket, "--log-file", n.Log)
		if !strings.HasPrefix(out, n.Interface+" is up") {
			t.Errorf("up --detach printed %q", out)
		}
		if out := w.run(n.Host, "ip", "-o", "link", "show", "dev", n.Interface); !strings.Contains(out, "UP") {
			t.Errorf("the command has returned and the interface is not up: %s", out)
		}
	}
	w.established(a, b)
	w.pings(w.A, b.v4, 10)

	w.checkStatus(a, b)
	w.checkPeerLists(a, b)
	for _, n := range []*node{a, b} {
		w.must(n.Host, "down", "--socket", n.Socket)
		n.gone()
	}
	w.refused(w.l2tun(w.A, "status", "--socket", a.Socket), 1, "no node runs")
}

// checkStatus holds the document against docs/node.md 8.1, name by name.
func (w *world) checkStatus(a, b *node) {
	w.Helper()
	text := w.must(w.A, "status", "--json", "--socket", a.Socket)
	w.Log(text)
	doc := decode[map[string]any](w, text)
	w.names("status", doc, "version", "program", "interface", "did", "addresses", "listen", "peers", "host", "socket", "config", "config_digest", "health", "misrouted", "faults", "nat", "relaying")
	w.names("host", doc["host"].(map[string]any), "put_back", "put_back_times", "put_back_age_ms", "last_put_back", "missing", "taken", "no_ipv6")
	peer := doc["peers"].([]any)[0].(map[string]any)
	w.names("peer", peer, "did", "name", "addresses", "allowed_ips", "local", "seen_as", "state", "reason", "link", "carrier", "endpoint", "suite", "epoch", "handshakes",
		"handshake_age_ms", "rtt_ms", "rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "queued", "messages_waiting", "message_bytes_waiting", "dropped",
		"rx_rate", "tx_rate", "epoch_age_ms", "prefer", "trouble", "through", "through_name", "why_not_direct", "hub")
	for field, want := range map[string]any{"did": b.DID, "name": "bob", "state": "established", "reason": "", "link": "quic",
		"endpoint": b.endpoint4(), "handshakes": 1.0, "queued": 0.0} {
		if peer[field] != want {
			w.Errorf("status: %s is %v, not %v", field, peer[field], want)
		}
	}
	if doc["version"] != 1.0 || doc["interface"] != a.Interface || doc["did"] != a.DID {
		w.Errorf("status: %v", doc)
	}
	if want := []any{a.Address.String() + "/128", a.v4.String() + "/24"}; !slices.Equal(doc["addresses"].([]any), want) {
		w.Errorf("status: addresses are %v, not %v", doc["addresses"], want)
	}
	w.checkLive(peer)
	if mine, theirs := a.peer(b), b.peer(a); mine.Epoch == 0 || mine.Epoch != theirs.Epoch || mine.Suite != theirs.Suite {
		w.Errorf("the ends disagree: epoch %d and %d, suite %q and %q", mine.Epoch, theirs.Epoch, mine.Suite, theirs.Suite)
	}
}

// checkLive looks at what must be there once pings have passed.
func (w *world) checkLive(peer map[string]any) {
	w.Helper()
	for _, field := range []string{"epoch", "handshakes", "handshake_age_ms", "rtt_ms", "rx_bytes", "tx_bytes", "rx_packets", "tx_packets"} {
		if v, _ := peer[field].(float64); v <= 0 {
			w.Errorf("status: %s is %v", field, peer[field])
		}
	}
	if carrier := peer["carrier"]; carrier != "direct" && carrier != "datagram" {
		w.Errorf("status: carrier %v is none of the link quic", carrier)
	}
	if suite, _ := peer["suite"].(string); !strings.Contains(suite, "ML-KEM-768") {
		w.Errorf("status: suite %q does not name ML-KEM-768", suite)
	}
	if state, _ := peer["state"].(string); !slices.Contains(states(), state) {
		w.Errorf("status: state %q is none of %v", state, states())
	}
}

// names fails the test unless every name is there; fields may be added.
func (w *world) names(what string, doc map[string]any, want ...string) {
	w.Helper()
	for _, name := range want {
		if _, there := doc[name]; !there {
			w.Errorf("%s has no field %s", what, name)
		}
	}
}

// checkPeerLists holds peer list and id against what init said.
func (w *world) checkPeerLists(a, b *node) {
	w.Helper()
	list := decode[[]map[string]any](w, w.must(w.A, "peer", "list", "--json", "--config", a.Config))
	if len(list) != 1 || list[0]["did"] != b.DID || list[0]["name"] != "bob" || list[0]["address"] != b.Address.String() {
		w.Errorf("peer list: %v", list)
	}
	for _, n := range []*node{a, b} {
		if id := w.must(n.Host, "id", "--json", "--config", n.Config); id != string(n.Made) {
			w.Errorf("id says %q, init said %q", id, n.Made)
		}
	}
	if plain := w.must(w.A, "status", "--long", "--socket", a.Socket); !strings.Contains(plain, b.DID) || !strings.Contains(plain, "established") {
		w.Errorf("status for people: %s", plain)
	}
}

func decode[T any](w *world, text string) (v T) {
	w.Helper()
	w.ok(json.Unmarshal([]byte(text), &v))
	return v
}

// A peer that nobody reaches goes through states whose names are among the
// eight, and its reason is timeout.
func TestSilenceIsATimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab.Shape{Routed: true})
	a, b := w.node(w.A), w.node(w.B) // B never starts and its host says nothing
	w.ok(w.R.DropUDP())
	text, err := os.ReadFile(a.Config)
	w.ok(err)
	w.ok(os.WriteFile(a.Config, append(text, "\n[session]\nhandshake_timeout = \"1s\"\n"...), 0o600))
	a.knows(b, b.endpoint4())
	a.up()
	a.waitPeer(b, 20*time.Second, "failed with timeout", func(p control.Peer) bool {
		if !slices.Contains(states(), p.State) {
			t.Fatalf("state %q is none of the eight", p.State)
		}
		return p.State == "failed" && p.Reason == "timeout"
	})
}
