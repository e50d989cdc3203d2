package invite

import (
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const (
	maxDeposits   = 256 // in all
	maxDepositsOf = 16  // of one peer, those included by which somebody has joined
)

// ErrFull: a peer has deposited as many invitations as a hub takes.
var ErrFull = errors.New("invite: too many deposited invitations")

// A Deposit is an invitation of a peer, as the file of a hub has it. From it nobody can
// make what the joining node shows.
type Deposit struct {
	ID      string    `json:"id"`
	Kept    string    `json:"kept"` // of the proof for this hub
	By      string    `json:"by"`   // DID of the inviting node
	Expires time.Time `json:"expires"`
	Claimed string    `json:"claimed"` // DID of the node that showed the proof
	Sealed  []byte    `json:"sealed"`  // what was passed on for it; empty once that is settled
	Joined  bool      `json:"joined"`  // and it has become a peer
}

// Number is the id as a frame has it.
func (d *Deposit) Number() (id [idSize]byte) {
	hex.Decode(id[:], []byte(d.ID))
	return id
}

func isID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == idSize && hex.EncodeToString(b) == s
}

// Deposits are the invitations of its peers that a hub keeps.
type Deposits struct{ book book[Deposit] }

// NewDeposits are those of the config at a path.
func NewDeposits(config string) *Deposits { return &Deposits{beside[Deposit](config, "deposits")} }

// change edits the deposits that are not forgotten.
func (s *Deposits) change(now time.Time, edit func([]Deposit) ([]Deposit, error)) error {
	return s.book.change(func(all []Deposit) ([]Deposit, error) {
		return edit(slices.DeleteFunc(all, func(d Deposit) bool { return now.Sub(d.Expires) > remembered }))
	})
}

// Add keeps what a peer deposits. The same once more changes nothing. Where the peer
// has as many as it may, its oldest goes that nobody has used. ErrFull: none is.
func (s *Deposits) Add(r DepositRequest, by did.DID, now time.Time) error {
	d := Deposit{ID: r.ID, Kept: hex.EncodeToString(r.Kept), By: by.String(), Expires: time.Unix(min(r.Until, now.Add(MaxLife).Unix()), 0).UTC()}
	return s.change(now, func(all []Deposit) ([]Deposit, error) {
		if slices.ContainsFunc(all, func(have Deposit) bool { return have.Kept == d.Kept }) {
			return all, nil
		}
		of := func(have Deposit) bool { return have.By == d.By }
		if count(all, of) >= maxDepositsOf {
			i := slices.IndexFunc(all, func(have Deposit) bool { return of(have) && have.Claimed == "" })
			if i < 0 {
				return nil, ErrFull
			}
			all = slices.Delete(all, i, i+1)
		}
		if len(all) >= maxDeposits {
			return nil, ErrFull
		}
		return append(all, d), nil
	})
}

func count[T any](all []T, is func(T) bool) (n int) {
	for _, x := range all {
		if is(x) {
			n++
		}
	}
	return n
}

// Find is the deposit of a proof, if it is good for a node. Errors: ErrUnknown,
// ErrUsed, ErrExpired; the file's.
func (s *Deposits) Find(proof [32]byte, by did.DID, now time.Time) (Deposit, error) {
	all, err := s.book.load()
	if err != nil {
		return Deposit{}, err
	}
	d, err := goodFor(all, proof, by, now)
	if err != nil {
		return Deposit{}, err
	}
	return *d, nil
}

func goodFor(all []Deposit, proof [32]byte, by did.DID, now time.Time) (*Deposit, error) {
	kept := depositOf(proof)
	i := slices.IndexFunc(all, func(d Deposit) bool { return d.Kept == hex.EncodeToString(kept[:]) })
	switch {
	case i < 0:
		return nil, ErrUnknown
	case all[i].Claimed != "" && all[i].Claimed != by.String():
		return nil, ErrUsed
	case all[i].Claimed == "" && !now.Before(all[i].Expires):
		return nil, ErrExpired
	}
	return &all[i], nil
}

// Claim gives the deposit of a proof to a node, before its join is passed on: from now
// on no other node can have it, until Release. What is passed on is kept, so that it
// can be settled when this process has died in between.
func (s *Deposits) Claim(proof [32]byte, by did.DID, sealed []byte, now time.Time) error {
	return s.change(now, func(all []Deposit) ([]Deposit, error) {
		d, err := goodFor(all, proof, by, now)
		if err != nil {
			return nil, err
		}
		if d.Claimed = by.String(); !d.Joined {
			d.Sealed = sealed
		}
		return all, nil
	})
}

// Joined notes that the node which has claimed a deposit is a peer. It is remembered
// for as long as one that ends now.
func (s *Deposits) Joined(kept string, now time.Time) error {
	return s.set(kept, now, func(d *Deposit) {
		d.Joined, d.Sealed = true, nil
		if now.Before(d.Expires) {
			d.Expires = now.UTC()
		}
	})
}

// Release undoes a claim: the inviting node has refused. One by which a node has
// joined stays used.
func (s *Deposits) Release(kept string, now time.Time) error {
	return s.set(kept, now, func(d *Deposit) {
		if !d.Joined {
			d.Claimed, d.Sealed = "", nil
		}
	})
}

func (s *Deposits) set(kept string, now time.Time, f func(*Deposit)) error {
	return s.change(now, func(all []Deposit) ([]Deposit, error) {
		i := slices.IndexFunc(all, func(d Deposit) bool { return d.Kept == kept })
		if i < 0 {
			return nil, ErrUnknown
		}
		f(&all[i])
		return all, nil
	})
}

// Unsettled are the deposits whose join was passed on without an answer: the inviting
// node may have agreed.
func (s *Deposits) Unsettled() ([]Deposit, error) {
	all, err := s.book.load()
	return slices.DeleteFunc(all, func(d Deposit) bool { return d.Joined || len(d.Sealed) == 0 }), err
}
