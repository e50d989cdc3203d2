package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

func twoEvents() *fakeNode {
	at := time.Date(2026, 11, 23, 10, 1, 2, 345_678_901, time.UTC)
	return &fakeNode{events: []control.Event{
		{Time: at, Peer: "did:b", Name: "bob", From: "handshake_initiated", To: "established", Cause: "receive_response", Epoch: 1, Link: "quic"},
		{Time: at, Peer: "did:c", From: "handshake_initiated", To: "failed", Cause: "timeout", Reason: "timeout", Missed: 2},
	}}
}

func TestEventsForPeople(t *testing.T) {
	node := twoEvents()
	at := node.events[0].Time.Local().Format("2006-01-02 15:04:05") + ".345"
	want := at + "  bob  connecting -> established  receive_response  epoch 1  quic\n" +
		"(2 events lost here: the reader was too slow)\n" +
		at + "  did:c  connecting -> failed (timeout)  timeout\n"
	if d := cmp.Diff(want, must(t, "events", "--socket", node.start(t))); d != "" {
		t.Error(d)
	}
}

func TestEventsInJSONAreOneObjectALine(t *testing.T) {
	node := twoEvents()
	lines := strings.Split(must(t, "events", "--json", "--socket", node.start(t)), "\n")
	if len(lines) != 3 {
		t.Fatal(lines)
	}
	want := `{"version":1,"program":"` + control.Program() + `","time":"2026-11-23T10:01:02.345678901Z","peer":"did:b","name":"bob",` +
		`"from":"handshake_initiated","to":"established","cause":"receive_response","reason":"","epoch":1,"link":"quic","carrier":"","through":"","through_name":"","missed":0}`
	if lines[0] != want {
		t.Error(lines[0])
	}
	var second control.Event
	if err := json.Unmarshal([]byte(lines[1]), &second); err != nil || second.Missed != 2 || second.Reason != "timeout" {
		t.Error(second, err)
	}
}

// A node that stops ends what follows it, with a sentence.
func TestFollowingEndsWithTheNode(t *testing.T) {
	node := twoEvents()
	node.follows = func() { node.down() } // not before: a command may take its time to begin
	socket := node.start(t)
	out, errs, code := l2tun(t, "events", "--follow", "--socket", socket)
	if code != 1 || strings.Count(out, "\n") != 3 || errs != "l2tun: the node at "+socket+" stopped\n" {
		t.Error(code, out, errs)
	}
}

// A change of the path alone says how packets go now.
func TestEventsOfAPath(t *testing.T) {
	f := &fakeNode{events: []control.Event{
		{Name: "bob", From: "established", To: "established", Cause: "path", Carrier: "circuit", Through: peerDID(9), ThroughName: "nas"},
		{Name: "bob", From: "established", To: "established", Cause: "path", Carrier: "direct", Link: "quic"},
		{Name: "bob", From: "established", To: "established", Cause: "meeting", Reason: "symmetric_nat"},
	}}
	got := must(t, "events", "--socket", f.start(t))
	if !strings.Contains(got, "established -> established  path through nas\n") || !strings.Contains(got, "established -> established  path udp-direct  quic\n") ||
		!strings.Contains(got, "established -> established  meeting failed: symmetric_nat\n") {
		t.Error(got)
	}
}
