package invite

import (
	"crypto/subtle"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const (
	maxInvitations = 256
	maxFile        = 1 << 20 // bytes
	lockWait       = 10 * time.Second
	// remembered is how long an invitation that has ended is kept, so that
	// a late joining node learns why it is refused.
	remembered = 7 * 24 * time.Hour
)

// An Invitation is what a node has promised, as its file has it.
type Invitation struct {
	ID         string        `json:"id"`
	Kept       string        `json:"kept"` // of the proof; not enough to make one
	Name       string        `json:"name"` // of the peer to be
	Address    string        `json:"address"`
	AllowedIPs []string      `json:"allowed_ips"`
	Created    time.Time     `json:"created"`
	Expires    time.Time     `json:"expires"`
	Claimed    string        `json:"claimed"`           // DID of the node that showed the proof
	Joined     bool          `json:"joined"`            // and it has become a peer
	Network    string        `json:"network,omitempty"` // id of the network that it leads into; "": none
	Groups     []string      `json:"groups,omitempty"`  // of the members to be
	Member     time.Duration `json:"member,omitempty"`  // how long they are members; 0: no end
	Uses       int           `json:"uses,omitempty"`    // how many nodes may join; 0: one
	Approve    bool          `json:"approve,omitempty"` // a person has to agree to each
	Users      []User        `json:"users,omitempty"`   // that have come to a network
	Secret     []byte        `json:"secret"`            // of the link, sealed with this node's key: for joins through a hub
}

// State is open, claimed, used or expired.
func (i *Invitation) State(now time.Time) string {
	switch {
	case i.Joined:
		return "used"
	case !now.Before(i.Expires):
		return "expired"
	case i.Claimed != "":
		return "claimed"
	}
	return "open"
}

// A Store is the invitations of one node.
type Store struct{ book book[Invitation] }

// NewStore is the store of the config at a path.
func NewStore(config string) *Store { return &Store{beside[Invitation](config, "invitations")} }

// Path is the file's.
func (s *Store) Path() string { return s.book.path }

// Add keeps a promise before its link is shown to anybody.
func (s *Store) Add(l Link, i Invitation) error {
	i.ID, i.Kept, i.Expires = l.ID, kept(l.Proof()), l.Until
	return s.change(func(all []Invitation) ([]Invitation, error) {
		if len(all) >= maxInvitations {
			return nil, ErrTooMany
		}
		return append(all, i), nil
	})
}

// List returns the invitations, the oldest first.
func (s *Store) List() ([]Invitation, error) {
	return s.book.load()
}

// Open reports whether there is an invitation that a node could still use.
func (s *Store) Open(now time.Time) (bool, error) {
	all, err := s.book.load()
	return slices.ContainsFunc(all, func(i Invitation) bool {
		return now.Before(i.Expires)
	}), err
}

// Remove withdraws an invitation. ErrUnknown if it is not there.
func (s *Store) Remove(id string) error {
	return s.change(func(all []Invitation) ([]Invitation, error) {
		rest := slices.DeleteFunc(slices.Clone(all), func(i Invitation) bool { return i.ID == id })
		if len(rest) == len(all) {
			return nil, ErrUnknown
		}
		return rest, nil
	})
}

// RemoveOpen withdraws all invitations that nobody has used yet, and returns them.
func (s *Store) RemoveOpen(now time.Time) (open []Invitation, err error) {
	if any, err := s.Open(now); err != nil || !any { // nothing is written where nothing is to be changed
		return nil, err
	}
	err = s.change(func(all []Invitation) ([]Invitation, error) {
		rest := []Invitation{}
		for _, i := range all {
			if i.State(now) == "open" {
				open = append(open, i)
			} else {
				rest = append(rest, i)
			}
		}
		return rest, nil
	})
	return open, err
}

// Claim gives the invitation of a proof to a node, for good: from now on no other
// node can have it, whatever happens to this process. The same node may claim it
// again, which is how a join goes on that was interrupted. Errors: ErrUnknown,
// ErrAltered, ErrExpired, ErrUsed; the file's.
func (s *Store) Claim(id string, proof [32]byte, by did.DID, now time.Time) (Invitation, error) {
	var claimed Invitation
	err := s.change(func(all []Invitation) ([]Invitation, error) {
		i := find(all, id)
		switch {
		case i == nil:
			return nil, ErrUnknown
		case subtle.ConstantTimeCompare([]byte(i.Kept), []byte(kept(proof))) == 0:
			return nil, ErrAltered
		case i.Claimed != "" && i.Claimed != by.String():
			return nil, ErrUsed
		case !i.Joined && !now.Before(i.Expires):
			return nil, ErrExpired
		}
		i.Claimed = by.String()
		claimed = *i
		return all, nil
	})
	return claimed, err
}

// Joined notes that the node which claimed an invitation is a peer.
func (s *Store) Joined(id string) error {
	return s.set(id, func(i *Invitation) { i.Joined = true })
}

// Release undoes a claim that led to nothing.
func (s *Store) Release(id string) error {
	return s.set(id, func(i *Invitation) { i.Claimed, i.Joined = "", false })
}

func (s *Store) set(id string, f func(*Invitation)) error {
	return s.change(func(all []Invitation) ([]Invitation, error) {
		i := find(all, id)
		if i == nil {
			return nil, ErrUnknown
		}
		f(i)
		return all, nil
	})
}

func find(all []Invitation, id string) *Invitation {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}

// change edits the invitations that are not forgotten.
func (s *Store) change(edit func([]Invitation) ([]Invitation, error)) error {
	return s.book.change(func(all []Invitation) ([]Invitation, error) {
		now := time.Now()
		return edit(slices.DeleteFunc(all, func(i Invitation) bool { return now.Sub(i.Expires) > remembered }))
	})
}

// Find returns the secret of the link of an invitation. ErrUnknown if there is none.
func (s *Store) Find(id string, own *did.Identity) (Secret, error) {
	all, err := s.book.load()
	if err != nil {
		return Secret{}, err
	}
	if i := find(all, id); i != nil && len(i.Secret) > 0 {
		return secretOf(own, i.Secret)
	}
	return Secret{}, ErrUnknown
}
