package config

import (
	"bytes"
	"net/netip"
	"slices"
)

// AddRoute appends a [[route]] block to the config at path, so that peers may send
// to a network behind this node. False if they may already: the network, or one that
// holds it, is there, is a peer's, or is one that the node has an address in. Errors
// are *Error and *KeyError.
func AddRoute(path string, prefix netip.Prefix) (added bool, err error) {
	prefix = prefix.Masked()
	err = rewrite(path, func(data []byte) ([]byte, error) {
		c, err := Parse(path, data)
		if err != nil {
			return nil, err
		}
		if c.reaches(prefix) {
			return data, nil
		}
		out := appendBlock(data, []string{"[[route]]", "prefix = " + quote(prefix.String())})
		added = true
		return out, withoutPlaceAfter(checkEdited(path, out), bytes.Count(data, []byte("\n")))
	})
	return added && err == nil, err
}

// reaches reports whether peers may send to a prefix.
func (c *Config) reaches(prefix netip.Prefix) bool {
	holds := func(p netip.Prefix) bool { return p.Bits() <= prefix.Bits() && p.Overlaps(prefix) }
	if slices.ContainsFunc(c.Routes, holds) {
		return true
	}
	if slices.ContainsFunc(c.Addresses, func(a netip.Prefix) bool { return a.Overlaps(prefix) }) {
		return true
	}
	return slices.ContainsFunc(c.Peers, func(p Peer) bool { return slices.ContainsFunc(p.AllowedIPs, holds) })
}
