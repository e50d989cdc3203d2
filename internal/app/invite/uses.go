package invite

import (
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// MaxUses is how many nodes one invitation into a network may let in.
const MaxUses = 256

// ErrDenied: a person has said no to the node.
var ErrDenied = errors.New("invite: a person has said no")

// ErrSeveral: several nodes ask for the name.
var ErrSeveral = errors.New("invite: several nodes ask for this name")

// A User is a node that has come with an invitation into a network.
type User struct {
	DID   string    `json:"did"`
	Name  string    `json:"name"` // that it wants
	At    time.Time `json:"at"`
	State string    `json:"state"` // one of the constants
}

// States of a User.
const (
	Wanting = "waiting" // a person has to agree
	Agreed  = "agreed"  // it may join
	Refused = "denied"
	Member  = "joined"
)

// Get returns an invitation as the file has it. ErrUnknown if there is none.
func (s *Store) Get(id string) (Invitation, error) {
	all, err := s.book.load()
	if err != nil {
		return Invitation{}, err
	}
	if i := find(all, id); i != nil {
		return *i, nil
	}
	return Invitation{}, ErrUnknown
}

// Use notes that a node has come with the proof of an invitation into a network, which may
// let in several. The same node may come again, which is how a join goes on that was
// interrupted or waits. Errors: ErrUnknown, ErrAltered, ErrExpired, ErrUsed, ErrDenied; the
// file's.
func (s *Store) Use(id string, proof [32]byte, by did.DID, name string, now time.Time) (i Invitation, u User, err error) {
	err = s.change(func(all []Invitation) ([]Invitation, error) {
		x := find(all, id)
		switch {
		case x == nil || x.Network == "":
			return nil, ErrUnknown
		case subtle.ConstantTimeCompare([]byte(x.Kept), []byte(kept(proof))) == 0:
			return nil, ErrAltered
		}
		at := slices.IndexFunc(x.Users, func(u User) bool { return u.DID == by.String() })
		switch {
		case at >= 0 && x.Users[at].State == Refused:
			return nil, ErrDenied
		case at >= 0 && x.Users[at].State == Member:
		case !now.Before(x.Expires):
			return nil, ErrExpired
		case at < 0 && x.taken() >= x.uses():
			return nil, ErrUsed
		}
		if at < 0 {
			state := Agreed
			if x.Approve {
				state = Wanting
			}
			x.Users = append(x.Users, User{by.String(), name, now.UTC().Truncate(time.Second), state})
			at = len(x.Users) - 1
		}
		i, u = *x, x.Users[at]
		return all, nil
	})
	return i, u, err
}

// uses is how many nodes may join.
func (i *Invitation) uses() int { return max(i.Uses, 1) }

// taken is how many have a place: those that a person has denied have none.
func (i *Invitation) taken() (n int) {
	for _, u := range i.Users {
		if u.State != Refused {
			n++
		}
	}
	return n
}

// Left is how many more nodes may join.
func (i *Invitation) Left() int {
	if i.Network == "" {
		if i.Claimed != "" {
			return 0
		}
		return 1
	}
	return i.uses() - i.taken()
}

// Entered notes that a node has become a member.
func (s *Store) Entered(id string, by did.DID) error {
	return s.setUser(id, by.String(), func(i *Invitation, u *User) {
		u.State = Member
		joined := 0
		for _, u := range i.Users {
			if u.State == Member {
				joined++
			}
		}
		i.Joined = joined >= i.uses()
	})
}

// GiveBack undoes a use that led to nothing.
func (s *Store) GiveBack(id string, by did.DID) error {
	return s.set(id, func(i *Invitation) {
		i.Users = slices.DeleteFunc(i.Users, func(u User) bool { return u.DID == by.String() && u.State == Agreed })
	})
}

// Decide says yes or no to a node that waits, by its DID or the name that it asks for.
// ErrUnknown if none does, ErrSeveral if several ask for the name.
func (s *Store) Decide(who string, yes bool) (User, error) {
	var decided User
	err := s.change(func(all []Invitation) ([]Invitation, error) {
		u, err := waiting(all, who)
		if err != nil {
			return nil, err
		}
		if u.State = Agreed; !yes {
			u.State = Refused
		}
		decided = *u
		return all, nil
	})
	return decided, err
}

// waiting finds a node that waits. Strangers choose their names: a DID means nobody's
// name, and a name that several ask for means none of them.
func waiting(all []Invitation, who string) (found *User, err error) {
	_, notDID := did.Parse(who)
	for n := range all {
		for m := range all[n].Users {
			u := &all[n].Users[m]
			switch {
			case u.State != Wanting:
			case notDID == nil && u.DID == who:
				return u, nil
			case notDID == nil || u.Name != who:
			case found != nil && found.DID != u.DID:
				return nil, ErrSeveral
			case found == nil:
				found = u
			}
		}
	}
	if found == nil {
		return nil, ErrUnknown
	}
	return found, nil
}

func (s *Store) setUser(id, who string, f func(i *Invitation, u *User)) error {
	return s.set(id, func(i *Invitation) {
		for n := range i.Users {
			if i.Users[n].DID == who {
				f(i, &i.Users[n])
			}
		}
	})
}
