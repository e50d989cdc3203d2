package netstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/libertaria-project/l2tun/internal/base/statefile"
	"github.com/libertaria-project/l2tun/network"
)

const (
	maxNetworks = 16
	maxSize     = 256 << 20 // of a file, bytes
	damaged     = ".damaged"
)

// FolderOf is where the networks of the node with a config lie.
func FolderOf(config string) string { return strings.TrimSuffix(config, ".toml") + ".networks" }

// A Store is the folder. Its zero value is of no use: Open makes one.
type Store struct{ folder string }

// New is a folder of which nothing is read.
func New(folder string) *Store { return &Store{folder} }

// Open reads all networks in a folder, in the order of their ids. Each of the errors is a
// sentence about what cannot be used; the networks that can are there all the same. A folder
// that does not exist has none, and is made by Save.
func Open(folder string) (s *Store, all []*network.State, wrong []error) {
	s = &Store{folder}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, nil, []error{fmt.Errorf("cannot read the networks in %s: %w", folder, statefile.Cause(err))}
	}
	for _, e := range entries {
		id, ok := network.ParseHash(e.Name())
		switch {
		case ok && len(all) == maxNetworks:
			wrong = append(wrong, fmt.Errorf("network %s is not used: a node is in %d networks at most", id, maxNetworks))
		case ok:
			st, err := s.load(id)
			if err != nil {
				wrong = append(wrong, err)
			}
			all = append(all, st)
		case temporary(e.Name()):
			os.Remove(filepath.Join(folder, e.Name())) // of a process that was killed
		}
	}
	return s, all, wrong
}

// Read reads one network of a node that may run: nothing is moved or removed. A network that
// is not there is one of which its id is known.
func Read(folder string, id network.Hash) (*network.State, error) {
	s := &Store{folder}
	st, err := read(s.path(id), id)
	if errors.Is(err, fs.ErrNotExist) {
		return network.New(id), nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read network %s: %w", id, statefile.Cause(err))
	}
	return st, nil
}

// temporary reports whether a file is one that Save has not renamed.
func temporary(name string) bool {
	n := len(network.Hash{}.String())
	if len(name) <= n || name[0] != '.' {
		return false
	}
	_, ok := network.ParseHash(name[1 : n+1])
	return ok
}

// Load reads one network that was made or joined since Open. What cannot be used is put
// aside, as Open does: the next Save would take its place.
func (s *Store) Load(id network.Hash) (*network.State, error) {
	if _, err := os.Lstat(s.path(id)); errors.Is(err, fs.ErrNotExist) {
		return network.New(id), nil
	}
	return s.load(id)
}

// load reads one network. What cannot be used is put aside.
func (s *Store) load(id network.Hash) (*network.State, error) {
	st, err := read(s.path(id), id)
	if err == nil {
		return st, nil
	}
	kept := s.path(id) + damaged
	then := "it is kept as " + kept
	if move := os.Rename(s.path(id), kept); move != nil {
		then = fmt.Sprintf("it stays, for it cannot be renamed (%v)", statefile.Cause(move))
	}
	return network.New(id), fmt.Errorf("network %s begins with nothing but its id, and asks its members for the documents: %s cannot be used: %w; %s", id, s.path(id), statefile.Cause(err), then)
}

// Save writes a network, and says Saved once it is on disk. After an error what is new in it
// does not show in its View; on disk is what was there, or all of the new.
func (s *Store) Save(st *network.State) error {
	err := s.write(st)
	if err != nil {
		return fmt.Errorf("cannot store the documents of network %s in %s, so what is new in them is not used: %w", st.ID(), s.folder, statefile.Cause(err))
	}
	st.Saved()
	return nil
}

func (s *Store) write(st *network.State) error {
	text := st.AppendTo(nil)
	if len(text) > maxSize {
		return statefile.TooLarge(maxSize)
	}
	if err := s.make(); err != nil {
		return err
	}
	if err := statefile.Replace(s.path(st.ID()), text); err != nil {
		return err
	}
	return statefile.SyncFolder(s.folder)
}

// make makes the folder, and syncs the one in which it is.
func (s *Store) make() error {
	err := os.Mkdir(s.folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return statefile.SyncFolder(filepath.Dir(s.folder))
}

// Delete removes a network, which the node has left, and what was put aside of it.
func (s *Store) Delete(id network.Hash) error {
	for _, path := range []string{s.path(id), s.path(id) + damaged} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot delete network %s, %s: %w", id, path, statefile.Cause(err))
		}
	}
	if err := statefile.SyncFolder(s.folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot delete network %s in %s: %w", id, s.folder, statefile.Cause(err))
	}
	return nil
}

func (s *Store) path(id network.Hash) string { return filepath.Join(s.folder, id.String()) }
