package main

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"
)

func TestWaitTellsTheStateByItsCode(t *testing.T) {
	node := &fakeNode{status: twoPeers()}
	socket := node.start(t)
	if got := must(t, "wait", "bob", "--socket", socket); got != "" {
		t.Error(got)
	}
	must(t, "wait", "10.9.0.2", "--socket", socket)
	must(t, "wait", "192.168.7.9", "--socket", socket) // behind bob
	must(t, "wait", "did:b", "--socket", socket, "--timeout", "0")
	must(t, "wait", "did:c", "--socket", socket, "--state", "suspended,failed")
	refused(t, 17, "timed out after 10ms; did:c is in state failed (timeout)", "wait", "did:c", "--socket", socket, "--timeout", "10ms")
	refused(t, 13, "timed out after 0s; bob is in state established", "wait", "bob", "--socket", socket, "--state", "degraded", "--timeout", "0")
	refused(t, exitUsage, `there is no peer "eve" (DID, name or overlay address); l2tun status lists the peers`, "wait", "eve", "--socket", socket)
	refused(t, exitUsage, "--state up: choose idle, handshake_initiated, handshake_received, established, rotating, degraded, suspended, failed",
		"wait", "bob", "--state", "up")
	refused(t, exitUsage, "PEER is empty: give a name, a DID or an overlay address", "wait", "")
	refused(t, exitUsage, "--timeout -1s: it must not be below 0", "wait", "bob", "--timeout", "-1s")
	refused(t, exitUsage, "PEER is missing: l2tun wait PEER", "wait")
	for i, s := range states() {
		if got := exitCode(&stateError{state: s}); got != 10+i {
			t.Error(s, got)
		}
	}
}

func TestRotatingCountsAsEstablished(t *testing.T) {
	s := twoPeers()
	s.Peers[0].State = "rotating"
	socket := (&fakeNode{status: s}).start(t)
	must(t, "wait", "bob", "--socket", socket, "--timeout", "0")
	_, _, code := l2tun(t, "wait", "bob", "--socket", socket, "--timeout", "0", "--state", "degraded")
	if code != 14 {
		t.Error(code)
	}
}

// The word that status shows is taken.
func TestConnectingIsBothHandshakeStates(t *testing.T) {
	for _, state := range []string{"handshake_initiated", "handshake_received"} {
		s := twoPeers()
		s.Peers[0].State = state
		socket := (&fakeNode{status: s}).start(t)
		must(t, "wait", "bob", "--socket", socket, "--timeout", "0", "--state", "suspended,connecting")
	}
}

func TestWaitJSON(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	for peer, want := range map[string]bool{"bob": true, "did:c": false} {
		out, _, code := l2tun(t, "wait", peer, "--socket", socket, "--timeout", "0", "--json")
		var doc map[string]any
		if err := json.Unmarshal([]byte(out), &doc); err != nil || doc["reached"] != want || doc["version"] != 1.0 || doc["program"] == "" {
			t.Error(peer, strconv.Itoa(code), out, err)
		}
	}
}

// The state comes while it is waited for.
func TestWaitSeesTheStateCome(t *testing.T) {
	socket := (&fakeNode{status: twoPeers()}).start(t)
	start := time.Now()
	o := &WaitOptions{target: target{at: socket}, Peer: "did:c", States: []string{"established"}, Timeout: 300 * time.Millisecond}
	err := runWait(t.Context(), o)
	if exitCode(err) != 17 || time.Since(start) < 300*time.Millisecond {
		t.Error(err, time.Since(start))
	}
}
