package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func checked() *fakeNode {
	return &fakeNode{netcheck: control.Netcheck{
		NAT: "endpoint_independent", IPv6: control.IPv6None, Relay: "off", Expect: "direct to most; through nas to symmetric ones",
		Witnesses:  []control.Witness{{DID: peerDID(1), Name: "nas", Local: "192.168.1.2:4242", SeenAs: "198.18.1.2:4242"}},
		Candidates: []control.Candidate{{Endpoint: "198.18.1.2:4242", Kind: "seen"}, {Endpoint: "192.168.1.2:4242", Kind: "own"}},
		Hubs:       []control.HubState{{DID: peerDID(1), Name: "nas", Up: true, RTTMS: 40.4}, {DID: peerDID(2), Name: "vps"}},
	}}
}

func TestNetcheckIsPrinted(t *testing.T) {
	got := must(t, "netcheck", "--socket", checked().start(t))
	want := `NAT:         endpoint-independent mapping: every peer sees the same address and
             port
             nas sees 192.168.1.2:4242 as 198.18.1.2:4242
IPv6:        none
candidates:  198.18.1.2:4242 (seen)
             192.168.1.2:4242 (own)
hub:         nas, round trip 40 ms
hub:         vps, no session
expect:      direct to most; through nas to symmetric ones
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNetcheckAsJSON(t *testing.T) {
	var n control.Netcheck
	if err := json.Unmarshal([]byte(must(t, "netcheck", "--json", "--socket", checked().start(t))), &n); err != nil {
		t.Fatal(err)
	}
	if n.Version != control.JSONVersion || n.NAT != "endpoint_independent" || len(n.Candidates) != 2 || n.Hubs[0].RTTMS != 40.4 {
		t.Errorf("%+v", n)
	}
}

// Without a node there is nothing to ask, and one sentence says so.
func TestNetcheckNeedsANode(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none.sock")
	out, errs, code := l2tun(t, "netcheck", "--socket", socket)
	if code != 1 || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "l2tun: no node runs (") {
		t.Errorf("%d %q %q", code, out, errs)
	}
	refused(t, exitUsage, "l2tun netcheck takes no arguments (1 given)", "netcheck", "nas")
}

// A ping says through whom it went, and then that it went directly.
func TestPingThroughAHubAndThenDirect(t *testing.T) {
	socket := (&fakeNode{through: "nas"}).start(t)
	got := must(t, "ping", "bob", "--socket", socket, "-c", "2", "--interval", "10ms")
	want := "pong from bob through nas in 81.50 ms\npong from bob by udp-direct, 10.0.0.1:4242 -> 10.0.0.2:4242, in 1.25 ms\n"
	if !strings.HasPrefix(got, want) {
		t.Error(got)
	}
}
