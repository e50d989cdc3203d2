package invite

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/account"
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
	ID         string    `json:"id"`
	Kept       string    `json:"kept"` // of the proof; not enough to make one
	Name       string    `json:"name"` // of the peer to be
	Address    string    `json:"address"`
	AllowedIPs []string  `json:"allowed_ips"`
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires"`
	Claimed    string    `json:"claimed"` // DID of the node that showed the proof
	Joined     bool      `json:"joined"`  // and it has become a peer
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

// A Store is the invitations of one node, in a file beside its config (0600).
// Each change is one rename under the lock of the directory, which edits of the
// config take too; nothing is kept in memory between calls.
type Store struct{ path string }

// NewStore is the store of the config at a path.
func NewStore(config string) *Store {
	return &Store{strings.TrimSuffix(config, ".toml") + ".invitations"}
}

// Path is the file's.
func (s *Store) Path() string { return s.path }

type document struct {
	Version     int          `json:"version"`
	Invitations []Invitation `json:"invitations"`
}

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
	d, err := s.load()
	return d.Invitations, err
}

// Open reports whether there is an invitation that a node could still use.
func (s *Store) Open(now time.Time) (bool, error) {
	d, err := s.load()
	return slices.ContainsFunc(d.Invitations, func(i Invitation) bool {
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

// load reads the file as the user whose folder it is in.
func (s *Store) load() (d document, err error) {
	err = account.As(s.path, func() error {
		d, err = s.read()
		return err
	})
	return d, err
}

// change reads, edits and replaces the file, as the user whose folder it is in.
func (s *Store) change(edit func([]Invitation) ([]Invitation, error)) error {
	return account.As(s.path, func() error { return s.changeHere(edit) })
}

func (s *Store) changeHere(edit func([]Invitation) ([]Invitation, error)) error {
	dir := filepath.Dir(s.path)
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockWait/500); err != nil {
		return s.failed(err)
	}
	defer lock.Close()
	d, err := s.read()
	if err != nil {
		return err
	}
	now := time.Now()
	all := slices.DeleteFunc(d.Invitations, func(i Invitation) bool { return now.Sub(i.Expires) > remembered })
	if all, err = edit(all); err != nil {
		return err
	}
	return s.write(document{messageVersion, all})
}

func (s *Store) read() (d document, err error) {
	info, err := os.Lstat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return document{Version: messageVersion}, nil
	case err != nil:
		return d, s.failed(err)
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return d, fmt.Errorf("invite: %s is not a file of invitations; move it away", s.path)
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return d, s.failed(err)
	}
	if err := json.Unmarshal(text, &d); err != nil || d.Version != messageVersion {
		return document{}, fmt.Errorf("invite: %s is damaged or of another version; move it away to begin anew without the invitations in it", s.path)
	}
	return d, nil
}

// write replaces the file and has the directory say so before it returns: a token
// that was used must stay used after a power cut.
func (s *Store) write(d document) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return s.failed(err)
	}
	err = renameio.WriteFile(s.path, append(text, '\n'), 0o600, renameio.WithTempDir(filepath.Dir(s.path)), renameio.IgnoreUmask())
	if err != nil {
		return s.failed(err)
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return s.failed(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return s.failed(err)
	}
	return nil
}

// failed is the sentence for what the system refused.
func (s *Store) failed(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("invite: something else is changing files beside %s; try again: %w", s.path, err)
	}
	cause := err
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		cause = pe.Err
	}
	return fmt.Errorf("invite: cannot use %s: %w", s.path, cause)
}
