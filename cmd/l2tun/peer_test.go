package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func TestPeersAreAddedListedAndRemoved(t *testing.T) {
	path := initConfig(t)
	none := filepath.Join(t.TempDir(), "none.sock")
	before, _ := os.ReadFile(path)
	if got := must(t, "peer", "list", "--config", path, "--json"); got != "[]\n" {
		t.Error(got)
	}
	a, b := peerDID(1), peerDID(2)
	got := must(t, "peer", "add", "--config", path, "--socket", none, a, "--name", "bob",
		"--endpoint", "192.0.2.1:4242", "--endpoint", "bob.example:4242", "--allowed-ip", "10.9.0.2/32", "--allowed-ip", "10.8.0.0/16", "--hub")
	if got != "added bob ("+a+")\n" {
		t.Error(got)
	}
	must(t, "peer", "add", b, "--config", path, "--socket", none)
	var list []map[string]any
	if err := json.Unmarshal([]byte(must(t, "peer", "list", "--config", path, "--json")), &list); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"version": 1.0, "program": control.Program(), "did": a, "name": "bob", "address": "fd4c:3254:101:101:101:101:101:101", "endpoints": []any{"192.0.2.1:4242", "bob.example:4242"},
			"allowed_ips": []any{"10.9.0.2/32", "10.8.0.0/16", "fd4c:3254:101:101:101:101:101:101/128"}, "hub": true, "invites": false},
		{"version": 1.0, "program": control.Program(), "did": b, "name": "", "address": "fd4c:3254:202:202:202:202:202:202", "endpoints": []any{},
			"allowed_ips": []any{"fd4c:3254:202:202:202:202:202:202/128"}, "hub": false, "invites": false},
	}
	if d := cmp.Diff(want, list); d != "" {
		t.Error(d)
	}
	if got := must(t, "peer", "list", "--config", path); got != "peer: "+a+"\n  name: bob\n  endpoints: 192.0.2.1:4242, bob.example:4242\n"+
		"  allowed ips: 10.9.0.2/32, 10.8.0.0/16, fd4c:3254:101:101:101:101:101:101/128\n  hub: yes\n\n"+
		"peer: "+b+"\n  allowed ips: fd4c:3254:202:202:202:202:202:202/128\n" {
		t.Error(got)
	}
	must(t, "peer", "remove", "--config", path, "--socket", none, "bob")
	must(t, "peer", "remove", "--config", path, "--socket", none, b)
	after, _ := os.ReadFile(path)
	if string(after) != string(before) {
		t.Errorf("%s", after)
	}
}

// A hub's owner lets a peer invite to it with one command, and takes that back.
func TestAPeerIsLetInvite(t *testing.T) {
	path := initConfig(t)
	none := filepath.Join(t.TempDir(), "none.sock")
	must(t, "peer", "add", "--config", path, "--socket", none, peerDID(1), "--name", "nas")
	set := func(flag string) []string {
		return []string{"peer", "set", "--config", path, "--socket", none, "nas", flag}
	}
	before, _ := os.ReadFile(path)
	refused(t, exitUsage, path+`: peer.invites: this node is a hub for nobody, so there is nothing to invite to; relay = "peers" makes it one`, set("--invites")...)
	relay := append([]byte("relay = \"peers\"\n"), before...)
	if err := os.WriteFile(path, relay, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, set("--invites")...)
	if got := must(t, "peer", "list", "--config", path); !strings.Contains(got, "  invites: yes\n") {
		t.Error(got)
	}
	must(t, set("--invites=false")...)
	if after, _ := os.ReadFile(path); string(after) != string(relay) {
		t.Errorf("%s", after)
	}
}

func TestPeersBecomeHubsAndCeaseToBe(t *testing.T) {
	path := initConfig(t)
	none := filepath.Join(t.TempDir(), "none.sock")
	must(t, "peer", "add", "--config", path, "--socket", none, peerDID(1), "--name", "nas")
	text := func() string { b, _ := os.ReadFile(path); return string(b) }
	plain := text()
	must(t, "peer", "set", "--config", path, "--socket", none, "nas", "--hub")
	if got := text(); got != plain+"hub = true\n" {
		t.Errorf("after --hub:\n%s", got)
	}
	must(t, "peer", "set", "--config", path, "--socket", none, "nas", "--hub=false")
	if got := text(); got != plain {
		t.Errorf("after --hub=false:\n%s", got)
	}
}

func TestWrongPeersAreRefused(t *testing.T) {
	path := initConfig(t)
	var own struct{ DID string }
	json.Unmarshal([]byte(must(t, "id", "--config", path, "--json")), &own)
	must(t, "peer", "add", "--config", path, peerDID(1))
	text, _ := os.ReadFile(path)
	line := strings.Count(string(text), "\n")
	for want, args := range map[string][]string{
		path + ": peer.did: this is the node's own DID": {"add", own.DID},
		path + ": peer.did: this peer is there already, on line " + itoa(line) + "; l2tun peer set " + peerDID(1) + " changes it": {"add", peerDID(1)},
		path + `: peer.endpoints: "x:0" has no port between 1 and 65535`:                                                          {"add", peerDID(2), "--endpoint", "x:0"},
		path + `: there is no peer "bob" in it`:                                                                                   {"remove", "bob"},
		path + `: there is no peer "` + peerDID(3) + `" in it`:                                                                    {"remove", peerDID(3)},
	} {
		refused(t, exitUsage, want, append([]string{"peer", "--config", path}, args...)...)
	}
	after, _ := os.ReadFile(path)
	if string(after) != string(text) {
		t.Error("a refused edit changed the file")
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestARunningNodeAppliesNewPeersAtOnce(t *testing.T) {
	path := initConfig(t)
	node := &fakeNode{}
	socket := node.start(t)
	if got := must(t, "peer", "add", "--config", path, "--socket", socket, peerDID(1)); got != "added "+peerDID(1)+"; applied to the running node\n" {
		t.Error(got)
	}
	must(t, "peer", "remove", "--config", path, "--socket", socket, peerDID(1))
	if node.reloads != 2 {
		t.Error(node.reloads)
	}
	node.refuse = errors.New("the prefix is taken")
	refused(t, 1, path+" is changed, but the running node refused it: the prefix is taken",
		"peer", "add", "--config", path, "--socket", socket, peerDID(2))
	if got := must(t, "peer", "list", "--config", path); !strings.Contains(got, peerDID(2)) {
		t.Error("the change is gone:", got)
	}
}
