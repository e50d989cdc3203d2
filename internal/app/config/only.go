package config

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/routing"
)

// A Limit is one [[only]] block: of what one peer sends, this passes, and what other blocks
// about the peer let pass. A peer without a block may send everything that it could
// without this; a block never opens what is closed.
type Limit struct {
	Peer    did.DID
	To      netip.Prefix // a network behind this node; zero: this node's own addresses
	Allow   []filter.Traffic
	Line    int      // of the block
	who     entry    // that names the peer
	allowed position // of Allow
}

// Limits are all [[only]] blocks of a file, in its order.
type Limits []Limit

// toSelf is the value of only.to that means this node's own addresses.
const toSelf = "self"

// readLimits reads the [[only]] blocks.
func readLimits(r *reader, blocks []*table) (all Limits, err error) {
	for _, t := range blocks {
		o, err := readLimit(r, t)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// readLimit reads one [[only]] block. Whom it is about is found when all peers are read.
func readLimit(r *reader, t *table) (Limit, error) {
	o := Limit{Line: t.at.line}
	for _, e := range t.entries {
		if err := o.set(r, e); err != nil {
			return o, err
		}
	}
	switch {
	case o.who.key == "":
		return o, newError(r.file, t.at, "only", "has no peer")
	case o.allowed.line == 0:
		return o, newError(r.file, t.at, "only", `has no allow, such as ["tcp:22"]; [] lets nothing pass`)
	}
	return o, nil
}

func (o *Limit) set(r *reader, e entry) (err error) {
	switch e.key {
	case "peer":
		o.who = e
		_, err = r.str("only", e)
	case "allow":
		var list []item[filter.Traffic]
		list, err = items(r, "only", e, filter.ParseTraffic)
		o.Allow, o.allowed = values(list), e.val.at
	case "to":
		var s string
		if s, err = r.str("only", e); err == nil && s != toSelf {
			o.To, err = parseTo(s)
			err = r.wrap("only", e, err)
		}
	default:
		err = r.unknown("only", e)
	}
	return err
}

func parseTo(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf(`%q is neither "self", this node's own addresses, nor a network behind it, such as "192.168.50.0/24"`, s)
	}
	return p, said(routing.CheckRoute(p))
}

// settle finds whom each block is about: a peer by its name, or anybody by a DID, who may
// be a member of a network. Then it refuses blocks that are too much.
func (l Limits) settle(c *Config) error {
	for i := range l {
		o := &l[i]
		who := o.who.val.text
		bad := func(format string, args ...any) error {
			return newError(c.Path, o.who.val.at, "only.peer", format, args...)
		}
		if at := slices.IndexFunc(c.Peers, func(p Peer) bool { return p.Name != "" && p.Name == who || p.DID.String() == who }); at >= 0 {
			o.Peer = c.Peers[at].DID
			continue
		}
		d, err := did.Parse(who)
		near := c.near(who)
		switch {
		case near != nil:
			return bad("there is no peer %q in it; did you mean %s?", who, near.called())
		case err != nil || d.IsZero():
			return bad("%q is neither the name of a [[peer]] nor a DID; a member of a network is named by its DID", who)
		}
		o.Peer = d
	}
	return l.checkRanges(c.Path)
}

// checkRanges refuses blocks about one peer that are together more than the filter holds.
func (l Limits) checkRanges(file string) error {
	for d, entries := range l.entries() {
		if _, err := filter.Compile(entries); err == nil {
			continue
		}
		var all []filter.Entry
		for i := range l {
			o := &l[i]
			if o.Peer != d {
				continue
			}
			all = append(all, o.entries()...)
			if _, err := filter.Compile(all); err != nil {
				return newError(file, o.allowed, "only.allow", "the blocks about this peer have more than %d ranges of ports that do not touch, for this node or for the networks behind it", filter.MaxRanges)
			}
		}
	}
	return nil
}

// entries are those of all blocks about each peer.
func (l Limits) entries() map[did.DID][]filter.Entry {
	of := make(map[did.DID][]filter.Entry)
	for i := range l {
		o := &l[i]
		of[o.Peer] = append(of[o.Peer], o.entries()...)
	}
	return of
}

// entries are those of one block. One that lets nothing pass has none.
func (o *Limit) entries() (all []filter.Entry) {
	e := filter.Entry{To: filter.Self, By: fmt.Sprintf("[[only]] of line %d", o.Line)}
	if o.To.IsValid() {
		e.To, e.Prefix = filter.Route, o.To
	}
	for _, t := range o.Allow {
		e.Traffic = t
		all = append(all, e)
	}
	return all
}

// Rules are what this node lets pass of what each peer sends that blocks are about.
func (l Limits) Rules() map[did.DID]*filter.Rules {
	entries := l.entries()
	all := make(map[did.DID]*filter.Rules, len(entries))
	for d := range entries {
		all[d], _ = filter.Compile(entries[d]) // checkRanges has refused what is too much
	}
	return all
}

// means is what the blocks say, wherever they stand.
func (l Limits) means() (all []string) {
	for i := range l {
		o := &l[i]
		all = append(all, fmt.Sprint(o.Peer, o.To, o.Allow))
	}
	slices.Sort(all)
	return all
}
