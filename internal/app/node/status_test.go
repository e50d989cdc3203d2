package node

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/session"
)

// The MTU that status shows is the one on the peer's routes: smaller than the
// tunnel's only where direct has less room.
func TestStatusShowsTheMTUOfThePeer(t *testing.T) {
	id, err := did.NewIdentity(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	peer := id.DID()
	for _, c := range []struct {
		carrier   *link.Kind
		room, mtu int
	}{
		{link.KindDirect, 1452, 1420},
		{link.KindDirect, 1372, 1340},
		{link.KindCircuit, 1444, 1412},
		{link.KindCircuit, 1224, 1280},
		{link.KindDatagram, 1163, 1420},
	} {
		m := newRouteMTUs()
		m.set(peer, c.carrier, c.room)
		s := session.Status{DID: peer, Carrier: c.carrier.String(), Room: c.room, MTU: 1420, Seen: netip.MustParseAddrPort("192.0.2.1:7"), Inbound: true}
		got := peerStatus(new(config.Config), config.Peer{DID: peer}, s, m.of(peer, s.MTU))
		if got.MTU != c.mtu || got.Room != c.room || got.SeenAs != "192.0.2.1:7" || !got.Inbound {
			t.Errorf("%v of %d: %+v", c.carrier, c.room, got)
		}
	}
	if got := peerStatus(new(config.Config), config.Peer{}, session.Status{}, 0); got.MTU != 0 || got.SeenAs != "" {
		t.Errorf("without a session: %+v", got)
	}
}

// What a session says of itself reaches the control socket: each field of
// session.Status changes what is shown, but for the hidden ones.
func TestEachFieldOfASessionIsShown(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.1:7")
	special := map[string]any{"DID": did.FromDigest([32]byte{1}), "State": session.Established, "Endpoint": addr, "Local": addr, "Seen": addr,
		"Through": did.FromDigest([32]byte{2}), "Trouble": session.Trouble{Displaced: true}, "Dropped": map[string]uint64{"forged": 1}}
	hidden := []string{"Refused"} // events that the state had no transition for; for tests
	none := peerStatus(new(config.Config), config.Peer{}, session.Status{}, 0)
	for _, f := range reflect.VisibleFields(reflect.TypeFor[session.Status]()) {
		if f.Anonymous {
			continue // its own fields follow
		}
		var s session.Status
		v := reflect.ValueOf(&s).Elem().FieldByIndex(f.Index)
		switch other, ok := special[f.Name]; {
		case ok:
			v.Set(reflect.ValueOf(other))
		case v.Kind() == reflect.String:
			v.SetString("x")
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		case v.CanInt():
			v.SetInt(1e9)
		case v.CanUint():
			v.SetUint(1)
		default:
			t.Fatalf("give special a value for %s", f.Name)
		}
		if shown := !reflect.DeepEqual(peerStatus(new(config.Config), config.Peer{}, s, 0), none); shown == slices.Contains(hidden, f.Name) {
			t.Errorf("%s: shown is %v", f.Name, shown)
		}
	}
}
