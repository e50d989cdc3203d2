package datapath

import (
	"errors"
	"net/netip"
	"sync"

	"github.com/libertaria-project/l2tun/routing"
)

// Owners say whose an address is: a peer's, this node's, or nobody's. One table
// answers, in which this node and nobody are owners like peers, so that one look-up
// decides (SPEC section 7.2). Its methods are safe for concurrent use.
type Owners struct {
	routes       routing.Table[*Peer]
	here, nobody *Peer

	mu  sync.Mutex     // one SetOwn at a time
	own []netip.Prefix // those of here

	beside beside
}

func (o *Owners) init(d *Datapath) {
	o.here, o.nobody = &Peer{d: d}, &Peer{d: d}
	for _, p := range routing.Special() {
		o.routes.Insert(p, o.nobody) // an empty table has no other owner
	}
}

// Routes is the table from destination to peer; a peer may use the sources that
// lead to it.
func (o *Owners) Routes() *routing.Table[*Peer] { return &o.routes }

// SetOwn makes prefixes what peers may send to at this node, and nothing else:
// its addresses and what it routes on purpose. Nobody may send from there. The
// error names those that a peer has.
func (o *Owners) SetOwn(prefixes []netip.Prefix) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	var own []netip.Prefix
	stays := make(map[netip.Prefix]bool) // hosts with containers have thousands
	for _, p := range prefixes {
		if err := o.routes.Insert(p, o.here); err != nil {
			errs = append(errs, err)
			continue
		}
		own = append(own, p.Masked())
		stays[p.Masked()] = true
	}
	for _, p := range o.own {
		if !stays[p] {
			o.routes.Delete(p, o.here)
		}
	}
	o.own = own
	return errors.Join(errs...)
}

// Of is whose an address is: a peer's, this node's (here), or nobody's.
func (o *Owners) Of(a netip.Addr) (p *Peer, here bool) {
	switch p, _ := o.routes.Lookup(a); p {
	case nil, o.nobody:
		return nil, false
	case o.here:
		return nil, true
	default:
		return p, false
	}
}

// peer is the one to which a destination leads.
func (o *Owners) peer(dst netip.Addr) (*Peer, bool) {
	p, ok := o.routes.Lookup(dst)
	return p, ok && p != o.here && p != o.nobody && !dst.Is4In6()
}

// May reports whether peers may send to a destination: this node's, behind it on
// purpose, or another peer's, to whom the kernel sends it.
func (o *Owners) May(from *Peer, dst netip.Addr) bool {
	p, ok := o.routes.Lookup(dst)
	return ok && p != from && p != o.nobody && !dst.Is4In6() && (p == o.here || !o.beside.elsewhere(dst))
}
