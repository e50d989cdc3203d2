package config

import (
	"net/netip"
	"slices"
)

// Is reports whether a peer is what AddPeer makes of a spec where the config's
// [session] is global.
func (p *Peer) Is(s PeerSpec, global Settings) bool {
	want := Peer{DID: s.DID, Name: s.Name, Endpoints: s.Endpoints, Assigned: s.Assigned, Hub: s.Hub, Session: &global, at: new(places)}
	for _, text := range s.AllowedIPs {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return false
		}
		want.AllowedIPs = append(want.AllowedIPs, prefix)
	}
	want.allowOwn()
	return p.Equal(want)
}

// Equal reports whether two peers mean the same, wherever they stand.
func (p *Peer) Equal(q Peer) bool {
	return p.DID == q.DID && p.Name == q.Name && slices.Equal(p.Endpoints, q.Endpoints) && p.Assigned == q.Assigned && p.Hub == q.Hub && p.Keep == q.Keep && p.Invites == q.Invites &&
		sameSet(p.AllowedIPs, q.AllowedIPs) && p.Settings() == q.Settings()
}

func sameSet(a, b []netip.Prefix) bool {
	in := func(list []netip.Prefix) func(netip.Prefix) bool {
		return func(p netip.Prefix) bool { return !slices.Contains(list, p) }
	}
	return len(a) == len(b) && !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}
