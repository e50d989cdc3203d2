package config

import (
	"bytes"
	"net/netip"
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
