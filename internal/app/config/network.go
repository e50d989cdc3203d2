package config

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/network"
)

// MaxNetworks is how many networks a node is in.
const MaxNetworks = 16

const maxContacts = 16

// A Network is one [[network]] block: a network that this node is in, and what it has a
// local say in. Who belongs to it is in its documents (spec/network.md).
type Network struct {
	ID       network.Hash
	Name     string         // what it is called here; unique, a label of DNS
	Contacts []Contact      // members that this node asks first
	Accept   []netip.Prefix // accept_routes: routes of members inside of these are taken; masked
}

// A Contact is a member and where it can be reached.
type Contact struct {
	DID      did.DID
	Endpoint string // HOST:PORT
}

// String is the contact as files have it.
func (c Contact) String() string { return c.DID.String() + "@" + c.Endpoint }

func parseContact(s string) (Contact, error) {
	who, at, found := strings.Cut(s, "@")
	if !found {
		return Contact{}, fmt.Errorf(`%q is no contact, which is "DID@HOST:PORT"`, s)
	}
	d, err := did.Parse(who)
	if err != nil {
		return Contact{}, err
	}
	at, err = parseEndpoint(at)
	return Contact{d, at}, err
}

func parseAccepted(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is no prefix, such as 192.168.0.0/16; 0.0.0.0/0 and ::/0 are all", s)
	}
	return p.Masked(), nil
}

// readNetworks reads all [[network]] blocks.
func readNetworks(r *reader, tables []*table) (all []Network, err error) {
	for _, t := range tables {
		n, err := readNetwork(r, t)
		if err == nil {
			err = refuseNetwork(r, t, all, n)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

func readNetwork(r *reader, t *table) (n Network, err error) {
	for _, e := range t.entries {
		switch e.key {
		case "id":
			n.ID, err = r.networkID(e)
		case "name":
			if n.Name, err = r.str("network", e); err == nil {
				err = r.wrap("network", e, network.CheckName(n.Name))
			}
		case "contacts":
			var list []item[Contact]
			if list, err = items(r, "network", e, parseContact); err == nil && len(list) > maxContacts {
				err = r.bad("network", e, "has more than %d contacts", maxContacts)
			}
			n.Contacts = values(list)
		case "accept_routes":
			var list []item[netip.Prefix]
			list, err = items(r, "network", e, parseAccepted)
			n.Accept = values(list)
		default:
			err = r.unknown("network", e)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (r *reader) networkID(e entry) (network.Hash, error) {
	s, err := r.str("network", e)
	if err != nil {
		return network.Hash{}, err
	}
	h, ok := network.ParseHash(s)
	if !ok {
		return h, r.bad("network", e, "must be the id of a network: 64 lower-case hexadecimal digits")
	}
	return h, nil
}

// refuseNetwork holds a network against those before it.
func refuseNetwork(r *reader, t *table, before []Network, n Network) error {
	switch {
	case n.ID.IsZero():
		return newError(r.file, t.at, "network", "has no id")
	case n.Name == "":
		return newError(r.file, t.at, "network", "has no name")
	case len(before) == MaxNetworks:
		return newError(r.file, t.at, "network", "a node is in %d networks at most", MaxNetworks)
	}
	for _, o := range before {
		if o.ID == n.ID || o.Name == n.Name {
			return newError(r.file, t.at, "network", "the network %s stands twice", n.Name)
		}
	}
	return nil
}

func (n *Network) lines() []string {
	lines := []string{"[[network]]", "id = " + quote(n.ID.String()), "name = " + quote(n.Name)}
	if len(n.Contacts) > 0 {
		var list []string
		for _, c := range n.Contacts {
			list = append(list, c.String())
		}
		lines = append(lines, "contacts = ["+quoteAll(list)+"]")
	}
	return lines
}

// AddNetwork appends a [[network]] block to the config at path. A name that another
// network has here gets a number behind it; the name that it has is returned. Errors are
// *Error and *KeyError.
func AddNetwork(path string, n Network) (name string, err error) {
	err = rewrite(path, func(data []byte) ([]byte, error) {
		out, err := withNetwork(path, data, &n)
		return out, err
	})
	return n.Name, err
}

// ErrNetworkThere: the config has the network.
var ErrNetworkThere = errors.New("config: this node is in the network already")

func withNetwork(path string, data []byte, n *Network) ([]byte, error) {
	c, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	if c.Network(n.ID.String()) != nil {
		return nil, &Error{File: path, Key: "network.id", Msg: "this node is in the network already", cause: ErrNetworkThere}
	}
	want := n.Name
	for i := 2; c.Network(n.Name) != nil; i++ {
		n.Name = fmt.Sprintf("%s-%d", want, i)
	}
	out := appendBlock(data, n.lines())
	return out, withoutPlaceAfter(checkEdited(path, out), bytes.Count(data, []byte("\n")))
}
