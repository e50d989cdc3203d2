package main

import (
	"net/netip"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/names"
)

// peerOf finds the peer that somebody means in a status: by DID, by name, also as
// NAME.l2, or by an overlay address, its own or one inside its prefixes (then the longest).
func peerOf(s *control.Status, who string) (*control.Peer, error) {
	for i := range s.Peers {
		if p := &s.Peers[i]; p.DID == who || p.Name != "" && p.Name == who {
			return p, nil
		}
	}
	var found *control.Peer
	if name, is := names.Bare(who); is {
		for i := range s.Peers {
			if p := &s.Peers[i]; strings.EqualFold(p.Name, name) {
				return p, nil
			}
		}
	}
	if addr, err := netip.ParseAddr(who); err == nil {
		bits := -1
		for i := range s.Peers {
			for _, text := range s.Peers[i].AllowedIPs {
				if p, err := netip.ParsePrefix(text); err == nil && p.Contains(addr) && p.Bits() > bits {
					found, bits = &s.Peers[i], p.Bits()
				}
			}
		}
	}
	if found == nil {
		return nil, usagef("%s", control.NoPeer(who))
	}
	return found, nil
}

// optionalPeer takes the peer that a command may name.
func optionalPeer(args []string, into *string) error {
	if len(args) == 0 {
		return nil
	}
	*into = args[0]
	return noEmptyPeer(*into)
}

// noEmptyPeer refuses "" where a peer is named.
func noEmptyPeer(who string) error {
	if who == "" {
		return usagef("PEER is empty: give a name, a DID or an overlay address")
	}
	return nil
}
