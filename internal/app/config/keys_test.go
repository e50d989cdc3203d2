package config

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// others is another value for each field of Config and of Peer that a file says.
func others() map[string]any {
	p := netip.MustParsePrefix("10.99.0.1/32")
	return map[string]any{
		"Interface": "other0", "Addresses": []netip.Prefix{p}, "Listen": netip.MustParseAddrPort("[::1]:9"), "MTU": 1300,
		"Carriers": []*link.Kind{link.KindUTCP}, "Discovery": []Method{Multicast}, "Metrics": netip.MustParseAddrPort("127.0.0.1:9"),
		"Mark": Mark{Value: 1, Mask: 1}, "PortMapping": true, "ReachedAt": []netip.AddrPort{netip.MustParseAddrPort("203.0.113.7:4242")}, "Spray": true, "DNS": DNSOff, "Session": Settings{Heartbeat: time.Second}, "Routes": []netip.Prefix{p}, "Only": Limits{{To: p}}, "Peers": []Peer{{Name: "other"}},
		"DID": did.FromDigest([32]byte{1}), "Name": "other", "Endpoints": []string{"192.0.2.1:9"}, "AllowedIPs": []netip.Prefix{p}, "Assigned": p,
		"Relay": relay.Peers, "RelayRate": int64(1 << 20), "RelayTotal": int64(1 << 22), "Hub": true, "Networks": []Network{{Name: "other"}}, "Keep": true, "Invites": true,
	}
}

// Each field of Config is in the table of keys, and another value of it changes
// the digest, and needs a restart if the table says so.
func TestEachFieldOfTheConfigIsAKey(t *testing.T) {
	byField := make(map[string]key)
	for _, k := range keys() {
		byField[k.field] = k
	}
	fields := reflect.TypeFor[Config]()
	for i := range fields.NumField() {
		name := fields.Field(i).Name
		k, known := byField[name]
		if name == "Path" || !fields.Field(i).IsExported() {
			continue
		}
		if !known && name != "Peers" {
			t.Errorf("Config.%s is not in the table of keys", name)
			continue
		}
		old, c := &Config{Mark: DefaultMark()}, &Config{Mark: DefaultMark()}
		change(t, c, name)
		if old.Digest() == c.Digest() {
			t.Errorf("the digest does not change with %s", name)
		}
		if got := old.needsRestart(c); k.restart && got != k.name || !k.restart && got != "" {
			t.Errorf("another %s needs a restart because of %q", name, got)
		}
	}
}

func TestEachFieldOfAPeerIsInTheDigest(t *testing.T) {
	fields := reflect.TypeFor[Peer]()
	for i := range fields.NumField() {
		if !fields.Field(i).IsExported() || fields.Field(i).Name == "Line" {
			continue
		}
		old, c := &Config{Peers: make([]Peer, 1)}, &Config{Peers: make([]Peer, 1)}
		change(t, &c.Peers[0], fields.Field(i).Name)
		if old.Digest() == c.Digest() {
			t.Errorf("the digest does not change with a peer's %s", fields.Field(i).Name)
		}
	}
}

func change(t *testing.T, of any, field string) {
	other, ok := others()[field]
	if !ok {
		t.Fatalf("others has no value for %s: add one", field)
	}
	to, v := reflect.ValueOf(of).Elem().FieldByName(field), reflect.ValueOf(other)
	if to.Kind() == reflect.Pointer { // what peers share
		to.Set(reflect.New(v.Type()))
		to = to.Elem()
	}
	to.Set(v)
}
