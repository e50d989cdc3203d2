package membership

import (
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/network"
)

// A Network is one that this node is in, as it is used now. It never changes.
type Network struct {
	config.Network               // what the config says of it
	View           *network.View // by documents that are saved
	Admitted       bool          // members may be dialled and answered: a hub was asked since the start
	Findings       []network.Finding
	Waiting        map[did.DID][]network.Removal // removals that wait for a person, by who signed them
}

// Serial is that of the head that is held; 0: none yet.
func (n *Network) Serial() uint64 {
	if h := n.View.Head(); h != nil {
		return h.Serial
	}
	return 0
}

// IsContact reports whether the config names a node as one to ask first.
func (n *Network) IsContact(d did.DID) bool {
	return slices.ContainsFunc(n.Contacts, func(c config.Contact) bool { return c.DID == d })
}

// Endpoints are where the config says that a member is.
func (n *Network) Endpoints(d did.DID) (at []string) {
	for _, c := range n.Contacts {
		if c.DID == d {
			at = append(at, c.Endpoint)
		}
	}
	return at
}

// Role is what a node is in the network: "admin", "issuer", "hub", "member", "removed", or
// "none" before its documents say anything of it.
func (n *Network) Role(d did.DID) string {
	_, member := n.View.Member(d)
	_, issuer := n.View.Issuer(d)
	_, removed := n.View.Removed(d)
	switch {
	case n.View.IsAdmin(d):
		return "admin"
	case issuer:
		return "issuer"
	case n.View.IsHub(d):
		return "hub"
	case member:
		return "member"
	case removed:
		return "removed"
	}
	return "none"
}

// Inviting reports whether a node counts as a member because it has invited this one: until
// the documents say what this node is, and unless they say that the other was removed.
func (n *Network) Inviting(self, d did.DID) bool {
	if !n.IsContact(d) {
		return false
	}
	_, member := n.View.Member(self)
	_, removed := n.View.Removed(self)
	_, gone := n.View.Removed(d)
	return !member && !removed && !gone
}

// member reports whether a node is one.
func (n *Network) member(self, d did.DID) bool {
	_, ok := n.View.Member(d)
	return ok || n.Inviting(self, d)
}

// A held is a network as the owner has it.
type held struct {
	local    config.Network
	place    int // in the config
	state    *network.State
	admitted bool
	heard    bool // of members since it was last saved
}

// published is what everybody else sees.
func (h *held) published(now time.Time) *Network {
	return &Network{Network: h.local, View: h.state.View(), Admitted: h.admitted, Findings: h.state.Findings(now), Waiting: h.state.Waiting()}
}
