package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
)

func (o *observedNode) Netcheck(context.Context) (Netcheck, error) {
	return Netcheck{NAT: "none", Hubs: []HubState{{Name: "nas", Up: true, RTTMS: 40.5}}, Expect: "direct"}, o.refuse
}

// No field is left out, and what is empty is [] and not null.
func TestNetcheckHasEveryField(t *testing.T) {
	n := &observedNode{fakeNode: &fakeNode{}}
	_, c := start(t, n)
	got, err := c.Netcheck(t.Context())
	if err != nil || got.NAT != "none" || got.Program != Program() || got.Version != JSONVersion || len(got.Hubs) != 1 || got.Hubs[0].RTTMS != 40.5 {
		t.Errorf("%+v, %v", got, err)
	}
	resp, err := c.open(t.Context(), http.MethodGet, "/v1/netcheck", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"version", "program", "nat", "witnesses", "ipv6", "candidates", "mapping", "spray", "hubs", "relay", "expect"} {
		if v, there := doc[field]; !there || v == nil {
			t.Errorf("%s is missing, or null, in %s", field, body)
		}
	}
	n.refuse = &APIError{http.StatusConflict, "not yet"}
	if _, err := c.Netcheck(t.Context()); err == nil || err.Error() != "not yet" {
		t.Error(err)
	}
}

// The status of a node that is no hub says so in every field.
func TestStatusHasTheFieldsOfMeetings(t *testing.T) {
	_, c := start(t, &fakeNode{status: &Status{Peers: []Peer{{Name: "bob"}}, NAT: "unknown", Relaying: Relaying{Mode: "off"}}})
	resp, err := c.open(t.Context(), http.MethodGet, "/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc struct {
		NAT      *string
		Relaying map[string]any
		Peers    []map[string]any
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil || doc.NAT == nil {
		t.Fatalf("%+v, %v", doc, err)
	}
	var keys []string
	for k := range doc.Relaying {
		keys = append(keys, k)
	}
	if slices.Sort(keys); !slices.Equal(keys, []string{"circuits", "dropped", "mode", "rx_bytes", "tx_bytes"}) {
		t.Error(keys)
	}
	for _, field := range []string{"through", "through_name", "why_not_direct"} {
		if v, there := doc.Peers[0][field]; !there || v != "" {
			t.Errorf("%s is %v", field, v)
		}
	}
}
