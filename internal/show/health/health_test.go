package health

import (
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

const bob = "did:morpheus:zQmAbCdEfGhIjKlMnOpQrStUvWxYz"

func of(p control.Peer) []control.Finding {
	if p.DID == "" {
		p.DID = bob
	}
	return Of(&control.Status{DID: "did:morpheus:zMe", Listen: "[::]:4242", Peers: []control.Peer{p}})
}

// Each state and reason leads to its code, a healthy one to none.
func TestFindingsOfASession(t *testing.T) {
	for _, c := range []struct {
		p     control.Peer
		code  string
		level string
	}{
		{control.Peer{State: "established"}, "", ""},
		{control.Peer{State: "rotating"}, "", ""},
		{control.Peer{State: "handshake_initiated", Endpoint: "x:1"}, "", ""},
		{control.Peer{State: "idle"}, Waiting, "note"},
		{control.Peer{State: "degraded", Waiting: control.Waiting{Queued: 3}}, Outage, "warning"},
		{control.Peer{State: "suspended"}, Outage, "warning"},
		{control.Peer{State: "failed", Reason: "refused"}, Refused, "error"},
		{control.Peer{State: "handshake_initiated", Reason: "refused"}, Refused, "error"},
		{control.Peer{State: "failed", Reason: "authentication_failed"}, NotThePeer, "error"},
		{control.Peer{State: "failed", Reason: "timeout"}, Silent, "error"},
		{control.Peer{State: "failed", Reason: "transport_error"}, Silent, "error"},
		{control.Peer{State: "failed", Reason: "protocol_violation"}, Broken, "warning"},
		{control.Peer{State: "failed", Reason: "version"}, Outdated, "error"},
		{control.Peer{State: "failed", Reason: "session_expired"}, Broken, "warning"},
		{control.Peer{State: "failed", Reason: "key_rotation_timeout"}, Broken, "warning"},
		{blocked("failed", "transport_error", "no_route", "192.0.2.10:4242"), CannotDial, "error"},
		{blocked("failed", "transport_error", "own_address", "172.17.0.1:4242"), CannotDial, "error"},
		{blocked("handshake_initiated", "transport_error", "unresolvable", "nas.example:4242"), Unresolvable, "error"},
		{blocked("established", "", "no_route", "192.0.2.10:4242"), "", ""},
		{control.Peer{State: "established", Trouble: control.Trouble{Duplicates: []string{"192.0.2.1:4242", "192.0.2.2:4242"}}}, Duplicate, "error"},
		{control.Peer{State: "established", Trouble: control.Trouble{Displaced: true}}, Duplicate, "warning"},
		{control.Peer{State: "established", Traffic: control.Traffic{TxPackets: 1000}, Dropped: map[string]uint64{"device": 200}}, Dropping, "warning"},
		{control.Peer{State: "established", Traffic: control.Traffic{TxPackets: 1_000_000}, Dropped: map[string]uint64{"device": 200}}, "", ""},
		{control.Peer{State: "established", Dropped: map[string]uint64{"replayed": 5000}}, "", ""},
	} {
		got := of(c.p)
		if c.code == "" {
			if len(got) != 0 {
				t.Errorf("%+v: %+v", c.p, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Code != c.code || got[0].Level != c.level || got[0].What == "" || got[0].Do == "" || got[0].About != "…StUvWxYz" {
			t.Errorf("%+v: %+v", c.p, got)
		}
		if Worst(got) != c.level || !slices.Contains(Codes(), got[0].Code) {
			t.Errorf("%+v: worst %q", got, Worst(got))
		}
	}
}

func blocked(state, reason, kind, endpoint string) control.Peer {
	return control.Peer{State: state, Reason: reason, Trouble: control.Trouble{Obstacles: []control.Obstacle{{Kind: kind, Endpoint: endpoint}}}}
}

// The host's own fault is named with what to do, and beside a peer's silence at
// another endpoint it is a note.
func TestFindingsOfObstacles(t *testing.T) {
	p := blocked("failed", "timeout", "no_route", "[2001:db8::1]:4242")
	p.Name = "nas"
	got := of(p)
	if len(got) != 2 || got[0].Code != Silent || got[1].Code != CannotDial || got[1].Level != control.LevelNote || got[1].About != "nas" ||
		got[1].What != "is unreachable: no route to 2001:db8::1 (IPv6)" ||
		got[1].Do != "add a default route for IPv6 on this host, or an IPv4 endpoint of the peer" {
		t.Errorf("%+v", got)
	}
}

func TestCodesAreUnique(t *testing.T) {
	all := Codes()
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) || Worst(nil) != "" {
		t.Error(all)
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 59900 * time.Millisecond: "59s", 72 * time.Second: "1m12s", 3725 * time.Second: "1h02m", 100 * time.Hour: "4d4h"} {
		if got := Age(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// What the filter has dropped is a note about the peer, the newest of each, with the
// command that names the line.
func TestFilteredPackets(t *testing.T) {
	dropped := map[string]uint64{"filter_not_granted": 7, "filter_scan": 2, "replayed": 5}
	s := &control.Status{Interface: "l2tun0", Peers: []control.Peer{{DID: "did:b", Name: "laptop", State: "established", Standing: control.Standing{Limited: true}, Dropped: dropped}, {DID: "did:c", State: "established"}},
		Filtered: []control.Filtered{{Reason: "filter_not_granted", Peer: "did:b", Address: "10.9.0.1", Traffic: "tcp:80", Packets: 3},
			{Reason: "filter_scan", Peer: "did:b", Address: "10.9.0.1", Traffic: "tcp:81"}, {Reason: "filter_scan", Peer: "gone"}}}
	got := filtered(s)
	if len(got) != 1 || got[0].Code != Filtered || got[0].Level != control.LevelNote || got[0].About != "laptop" ||
		got[0].What != "9 packets of it dropped, since it may send only what some line lets pass; the last: tcp:80 to 10.9.0.1 (not granted)" ||
		!slices.Equal(got[0].Run, []string{"l2tun why laptop tcp:80 --to 10.9.0.1"}) {
		t.Errorf("%+v", got)
	}
	s.Filtered = s.Filtered[1:]
	if got := filtered(s); len(got) != 1 || len(got[0].Run) != 0 {
		t.Errorf("%+v", got)
	}
}
