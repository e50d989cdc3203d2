package health

import (
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/control"
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
		{control.Peer{State: "degraded", Queued: 3}, Outage, "warning"},
		{control.Peer{State: "suspended"}, Outage, "warning"},
		{control.Peer{State: "failed", Reason: "refused"}, Refused, "error"},
		{control.Peer{State: "handshake_initiated", Reason: "refused"}, Refused, "error"},
		{control.Peer{State: "failed", Reason: "authentication_failed"}, NotThePeer, "error"},
		{control.Peer{State: "failed", Reason: "timeout"}, Silent, "error"},
		{control.Peer{State: "failed", Reason: "transport_error"}, Silent, "error"},
		{control.Peer{State: "failed", Reason: "protocol_violation"}, Broken, "warning"},
		{control.Peer{State: "failed", Reason: "session_expired"}, Broken, "warning"},
		{control.Peer{State: "failed", Reason: "key_rotation_timeout"}, Broken, "warning"},
		{control.Peer{State: "established", TxPackets: 1000, Dropped: map[string]uint64{"device": 200}}, Dropping, "warning"},
		{control.Peer{State: "established", TxPackets: 1_000_000, Dropped: map[string]uint64{"device": 200}}, "", ""},
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
