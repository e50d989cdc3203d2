package hostnames

import (
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hosts"
)

// hostsFile is the block of a node in /etc/hosts.
type hostsFile struct {
	node string // whose block is there; empty: none is
}

func (h *hostsFile) put(o control.NameOrder) (bool, error) {
	entries := make([]hosts.Entry, 0, len(o.Hosts))
	for _, n := range o.Hosts {
		entries = append(entries, hosts.Entry{Address: n.Address, Name: n.Name})
	}
	h.node = o.Interface // also if it fails: it may be there from before
	return hosts.Kept(h.node).Write(hosts.File, entries)
}

func (h *hostsFile) drop() error {
	if h.node == "" {
		return nil
	}
	if _, err := hosts.Kept(h.node).Remove(hosts.File); err != nil {
		return err
	}
	h.node = ""
	return nil
}

func (h *hostsFile) news() <-chan struct{} { return nil }
