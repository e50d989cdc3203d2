package health

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// wordsOfPaths are the words in the table above the machine's why, but for a peer
// without a session, which has findings of its own.
func wordsOfPaths(t *testing.T) (words []string) {
	t.Helper()
	text, err := os.ReadFile("../../proto/paths/why.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z_]+)  `).FindAllStringSubmatch(string(text), -1) {
		if m[1] != "no_session" {
			words = append(words, m[1])
		}
	}
	return words
}

// Each cause that the path machine names has a finding with a code and advice, and
// there is none that it does not name.
func TestEachCauseHasAFinding(t *testing.T) {
	words := wordsOfPaths(t)
	if len(words) < 10 {
		t.Fatalf("only %v found", words)
	}
	for _, word := range words {
		p := &control.Peer{DID: "did:morpheus:zx", Name: "bob", State: "established", Carrier: "circuit", Path: control.Path{Through: "did:morpheus:zy", ThroughName: "nas", WhyNotDirect: word}}
		f, ok := indirect(&control.Status{}, p, true)
		if !ok || !slices.Contains(Codes(), f.Code) || f.Do == "" || f.About != "bob" || !strings.HasPrefix(f.What, "is reached through nas: ") {
			t.Errorf("%s: %+v", word, f)
		}
		if Why(p) == "" {
			t.Errorf("%s: no sentence", word)
		}
		s := &control.Status{Peers: []control.Peer{*p}}
		if n := len(Of(s)) + len(Passing(s)); n != 1 {
			t.Errorf("%s: status and doctor have %d findings together", word, n)
		}
		p.Through = ""
		if s := (&control.Status{Peers: []control.Peer{*p}}); len(Passing(s)) != 0 {
			t.Errorf("%s: doctor has a finding about what every session begins with", word)
		}
		p.State = "degraded"
		if _, ok := indirect(&control.Status{}, p, true); ok {
			t.Errorf("%s: a finding about the path of a session that has none", word)
		}
	}
	for word := range causes() {
		if !slices.Contains(words, word) {
			t.Errorf("the path machine does not say %s", word)
		}
	}
}

func TestDirectPathsHaveNoFinding(t *testing.T) {
	s := &control.Status{Peers: []control.Peer{{Name: "bob", State: "established", Carrier: "direct"}}}
	if all := append(Of(s), Passing(s)...); len(all) != 0 {
		t.Error(all)
	}
}

func TestExpectations(t *testing.T) {
	nas, off := control.HubState{Name: "nas", Up: true}, control.HubState{Name: "vps"}
	hub := func(h ...control.HubState) []control.HubState { return h }
	for _, c := range []struct {
		n    control.Netcheck
		want string
	}{
		{control.Netcheck{NAT: "none"}, "direct to all peers that have UDP"},
		{control.Netcheck{NAT: "none", Hubs: hub(nas)}, "direct to all peers that have UDP; through nas to those behind a firewall that opens for nobody"},
		{control.Netcheck{NAT: "endpoint_dependent", Candidates: []control.Candidate{{Kind: "mapped"}}}, "direct to all peers that have UDP"},
		{control.Netcheck{NAT: "endpoint_independent", Hubs: hub(off, nas)}, "direct to most; through nas to symmetric ones"},
		{control.Netcheck{NAT: "endpoint_independent", Hubs: hub(nas, control.HubState{DID: "x", Up: true})}, "direct to most; through nas or x to symmetric ones"},
		{control.Netcheck{NAT: "endpoint_dependent", Hubs: hub(nas)}, "direct to peers with public addresses and to those whose NAT lets any remote in; through nas to all others"},
		{control.Netcheck{NAT: "unknown", Hubs: hub(nas), Witnesses: make([]control.Witness, 1)}, "through nas, and direct to most; a second witness of another address would tell what kind of NAT this is"},
		{control.Netcheck{NAT: "unknown", Hubs: hub(nas)}, "through nas; whether direct is not known before a peer on the Internet has told where it sees this node"},
		{control.Netcheck{NAT: "endpoint_independent", Hubs: hub(off)}, "nothing to peers that do not reach this node by themselves: no hub answers at present (l2tun status vps)"},
		{control.Netcheck{NAT: "unknown"}, "direct to peers with public addresses; others must reach this node, or have a hub in common with it (l2tun peer set PEER --hub)"},
		{control.Netcheck{NAT: "endpoint_dependent"}, "direct to peers with public addresses only: this node is behind NAT and has no hub (l2tun peer set PEER --hub makes a peer one that both have)"},
	} {
		if got := Expect(&c.n); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// A peer without an endpoint that could be met by a hub: the note says which hub, and
// what is the matter with it.
func TestPeerThatNoHubHasBrought(t *testing.T) {
	peer := control.Peer{DID: "did:morpheus:zpeer", Name: "bob", State: "handshake_initiated", Reason: "transport_error"}
	hub := func(name, state string) control.Peer {
		return control.Peer{DID: "did:morpheus:z" + name, Name: name, State: state, Standing: control.Standing{Hub: true}, Endpoint: "192.0.2.1:4242"}
	}
	find := func(hubs ...control.Peer) control.Finding {
		t.Helper()
		for _, f := range Of(&control.Status{Peers: append(hubs, peer)}) {
			if f.About == "bob" {
				return f
			}
		}
		t.Fatal("nothing is said of bob")
		return control.Finding{}
	}
	if f := find(hub("off", "suspended"), hub("nas", "established")); f.Code != Waiting || !strings.Contains(f.What, "hub nas has not brought it yet") || f.RunThere[0] != "l2tun peer set did:morpheus:znas --hub" {
		t.Errorf("%+v", f)
	}
	if f := find(hub("off", "suspended")); f.Code != Waiting || !strings.Contains(f.What, "hub off, by which it could be met, has no session") {
		t.Errorf("%+v", f)
	}
	if f := find(); f.Code != Silent {
		t.Errorf("without a hub: %+v", f)
	}
	if f := find(peerItself(hub("bob", "failed"))); f.Code != Silent {
		t.Errorf("a peer is its own hub: %+v", f)
	}
}

// peerItself is a hub with the DID of the peer in question.
func peerItself(h control.Peer) control.Peer {
	h.DID, h.Name = "did:morpheus:zpeer", "other"
	return h
}
