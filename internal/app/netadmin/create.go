package netadmin

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/network"
)

// A Founding says what a new network is.
type Founding struct {
	Name     string       // of the network
	Self     string       // this node's name in it
	Prefix   netip.Prefix // of addresses that this node gives
	Hub      bool         // this node is a hub
	Recovery did.DID      // a second admin, whose key is kept on paper
}

// Create makes head 1, which this node and the recovery key may change, each alone, and the
// roster with this node. The state has taken both.
func Create(f Founding, id *did.Identity, now time.Time) (st *network.State, docs [][]byte, err error) {
	now = now.UTC().Truncate(time.Second)
	h := &network.Head{Name: f.Name, Serial: 1, Issued: now, Threshold: 1, Admins: sorted(id.DID(), f.Recovery),
		Issuers: []network.Issuer{{DID: id.DID(), Groups: []string{"*"}, Prefix: f.Prefix, Routes: true}}}
	if f.Hub {
		h.Hubs = []did.DID{id.DID()}
	}
	if _, err := network.ParseHead(h.String()); err != nil {
		return nil, nil, plain(err)
	}
	st = network.New(network.ID(h.String()))
	head := network.Sign(h.String(), id).Append(nil)
	if _, err := st.Take(head, now); err != nil {
		return nil, nil, err
	}
	st.Saved() // in memory: FreeName and FreeAddr are of the View
	roster, _, err := Admit(st, id, Newcomer{DID: id.DID(), Name: f.Self}, now)
	if err != nil {
		return nil, nil, err
	}
	if _, err := st.Take(roster, now); err != nil {
		return nil, nil, err
	}
	return st, [][]byte{head, roster}, nil
}

func sorted(all ...did.DID) []did.DID {
	slices.SortFunc(all, func(a, b did.DID) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// FreePrefix draws a /16 of 10.0.0.0/8 that overlaps none of those in use.
func FreePrefix(used []netip.Prefix) (netip.Prefix, error) {
	var b [2]byte
	rand.Read(b[:])
	start := int(binary.LittleEndian.Uint16(b[:]))
	for i := range 256 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(start + i), 0, 0}), 16)
		if !slices.ContainsFunc(used, p.Overlaps) {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("no network of 10.0.0.0/8 is free on this machine; choose one with --prefix")
}

// plain is a refusal without its code and package: what a person has typed is meant.
func plain(err error) error {
	if r, ok := err.(*network.Refusal); ok {
		return fmt.Errorf("%s", r.Text)
	}
	return err
}
