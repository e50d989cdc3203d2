package netadmin

import (
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/netstore"
	"github.com/libertaria-project/l2tun/internal/base/account"
	"github.com/libertaria-project/l2tun/network"
)

// Offline is the networks of a node that does not run: the caller holds its lock, or knows
// otherwise that it does not. Config is the path of its config.
type Offline struct{ Config string }

// Keep stores a network with documents that its state has taken.
func (o Offline) Keep(st *network.State, docs [][]byte, now time.Time) error {
	folder := netstore.FolderOf(o.Config)
	return account.As(o.Config, func() error {
		if err := netstore.New(folder).Save(st); err != nil {
			return err
		}
		for _, d := range docs {
			e, err := membership.EntryOf(d, network.Change{}, "here", now)
			if err == nil {
				err = membership.Append(folder, st.ID(), e)
			}
			if err != nil {
				return fmt.Errorf("the log of the network cannot be written: %w", err)
			}
		}
		return nil
	})
}

// Forget takes a network out that nobody has used.
func (o Offline) Forget(id network.Hash) error {
	return account.As(o.Config, func() error { return netstore.New(netstore.FolderOf(o.Config)).Delete(id) })
}

// Open reads a network; the node may run, if nothing is to be changed.
func (o Offline) Open(id network.Hash) (st *network.State, err error) {
	err = account.As(o.Config, func() error {
		st, err = netstore.Read(netstore.FolderOf(o.Config), id)
		return err
	})
	return st, err
}

// Change does what a person asks for.
func (o Offline) Change(id network.Hash, self *did.Identity, c control.NetworkChange, now time.Time) (done control.NetworkChanged, err error) {
	st, err := o.Open(id)
	if err != nil {
		return done, err
	}
	switch c.Do {
	case control.DoTrust, control.DoConfirm:
		return done, o.decide(st, c, now)
	}
	r, err := Draft(st, self, c, now)
	if err != nil {
		return done, err
	}
	done = control.NetworkChanged{Done: r.Done, Document: r.Docs[len(r.Docs)-1]}
	if c.Draft {
		return done, nil
	}
	for _, d := range r.Docs {
		if _, err := st.Take(d, now); err != nil {
			return done, plain(err)
		}
	}
	return done, o.Keep(st, r.Docs, now)
}

// decide is what a person decides about documents of others.
func (o Offline) decide(st *network.State, c control.NetworkChange, now time.Time) error {
	if c.Do == control.DoConfirm {
		by, err := did.Parse(c.Who)
		if err != nil {
			return control.Wrong("%q is no DID", c.Who)
		}
		if st.Confirm(by, now).Known {
			return fmt.Errorf("no removals of %v wait", by)
		}
		return o.Keep(st, nil, now)
	}
	hash, ok := network.ParseHash(c.Value)
	if !ok {
		return control.Wrong("%q is no hash of a head", c.Value)
	}
	if _, err := st.Trust(c.Document, hash); err != nil {
		return plain(err)
	}
	return o.Keep(st, [][]byte{c.Document}, now)
}
