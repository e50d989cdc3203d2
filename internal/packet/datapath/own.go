package datapath

import (
	"errors"
	"net/netip"
	"sync"

	"github.com/libertaria-project/l2tun/routing"
)

// own is what of the routing table is no peer's: this node's addresses and the
// prefixes behind it, and addresses that are nobody's. Both are owners like
// peers, so that one look-up decides (SPEC section 7.2).
type own struct {
	here, nobody *Peer

	mu  sync.Mutex // one change at a time
	has []netip.Prefix
}

func newOwn(d *Datapath) *own {
	o := &own{here: &Peer{d: d}, nobody: &Peer{d: d}}
	for _, p := range routing.Special() {
		d.routes.Insert(p, o.nobody) // an empty table has no other owner
	}
	return o
}

// SetOwn makes prefixes what peers may send to at this node, and nothing else:
// its addresses and what it routes on purpose. Nobody may send from there. The
// error names those that a peer has.
func (d *Datapath) SetOwn(prefixes []netip.Prefix) error {
	o := d.own
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	var has []netip.Prefix
	stays := make(map[netip.Prefix]bool) // hosts with containers have thousands
	for _, p := range prefixes {
		if err := d.routes.Insert(p, o.here); err != nil {
			errs = append(errs, err)
			continue
		}
		has = append(has, p.Masked())
		stays[p.Masked()] = true
	}
	for _, p := range o.has {
		if !stays[p] {
			d.routes.Delete(p, o.here)
		}
	}
	o.has = has
	return errors.Join(errs...)
}

// Owner is whose an address is: a peer's, this node's (here), or nobody's.
func (d *Datapath) Owner(a netip.Addr) (p *Peer, here bool) {
	switch p, _ := d.routes.Lookup(a); p {
	case nil, d.own.nobody:
		return nil, false
	case d.own.here:
		return nil, true
	default:
		return p, false
	}
}
