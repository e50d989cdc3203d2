package network_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/network"
)

// A founder makes a network, gives a member a name and an address, and removes it. After
// each document that is taken the state is written to disk before it is used.
func Example() {
	now := time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	founder, err := did.NewIdentity(make([]byte, did.SeedSize)) // a seed of random bytes
	if err != nil {
		panic(err)
	}
	phone := did.FromDigest([32]byte{1, 2, 3})

	head := &network.Head{Name: "home", Serial: 1, Issued: now, Threshold: 1, Admins: []did.DID{founder.DID()},
		Issuers: []network.Issuer{{DID: founder.DID(), Groups: []string{"*"}, Prefix: netip.MustParsePrefix("10.9.0.0/24")}}}
	state := network.New(network.ID(head.String()))
	take := func(text fmt.Stringer) {
		change, err := state.Take(network.Sign(text.String(), founder).Append(nil), now)
		if err != nil {
			panic(err)
		}
		_ = state.AppendTo(nil) // and write it
		state.Saved()
		fmt.Printf("%d added, %d removed\n", len(change.Added), len(change.Removed))
	}
	take(head)

	roster, _ := state.DraftRoster(founder.DID(), now)
	name, _ := state.View().FreeName("phone")
	addr, _ := state.View().FreeAddr(founder.DID(), phone)
	roster.Put(network.Line{DID: phone, Name: name, Addrs: []netip.Addr{addr}})
	take(roster)
	member, _ := state.View().Named("phone")
	fmt.Println(member.Addrs[0])

	removals, _ := state.DraftRemovals(founder.DID(), now, time.Time{}, phone)
	take(removals)

	// Output:
	// 0 added, 0 removed
	// 1 added, 0 removed
	// 10.9.0.1
	// 0 added, 1 removed
}
