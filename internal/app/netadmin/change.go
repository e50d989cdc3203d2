package netadmin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/network"
)

// A Result is what a change comes to.
type Result struct {
	Docs [][]byte // to be taken in this order; the last one is the draft, if that was asked for
	Done string   // a sentence, once they are taken
}

// Draft drafts and signs what a change asks for. DoTrust and DoConfirm are none of it: they
// are about what others have signed.
func Draft(st *network.State, id *did.Identity, c control.NetworkChange, now time.Time) (r Result, err error) {
	if st.View().Head() == nil && c.Do != control.DoTake {
		return r, fmt.Errorf("the documents of the network are not here yet: start the node (l2tun up), which fetches them")
	}
	switch c.Do {
	case control.DoRemove:
		return remove(st, id, c.Who, now)
	case control.DoRename:
		return rename(st, id, c, now)
	case control.DoExtend:
		return extend(st, id, c, now)
	case control.DoGrant, control.DoRevoke:
		return grant(st, id, c, now)
	case control.DoHub, control.DoNoHub:
		return hub(st, id, c, now)
	case control.DoSet:
		return set(st, id, c, now)
	case control.DoAdmin, control.DoNoAdmin, control.DoIssuer, control.DoNoIssuer, control.DoThreshold, control.DoSucceed, control.DoRestore:
		return office(st, id, c, now)
	case control.DoTake:
		return Result{[][]byte{c.Document}, "taken"}, nil
	}
	return r, fmt.Errorf("this node does not know the change %q; is the program newer than the node?", c.Do)
}

// remove takes a member out: a removal, which is everywhere at once, and a roster without
// the line, so that name and addresses are free.
func remove(st *network.State, id *did.Identity, who string, now time.Time) (r Result, err error) {
	v := st.View()
	m, err := find(v, who)
	if err != nil {
		return r, err
	}
	_, issuer := v.Issuer(id.DID())
	switch {
	case m.DID == id.DID():
		return r, fmt.Errorf("%s is this node itself; another admin can remove it", called(m))
	case v.IsAdmin(m.DID):
		return dismiss(st, id, m, now)
	case !v.IsAdmin(id.DID()) && m.Issuer != id.DID():
		return r, fmt.Errorf("this node may not remove %s: its issuer %s may, or an admin", called(m), m.Issuer)
	case !v.IsAdmin(id.DID()) && !issuer:
		return r, fmt.Errorf("this node is neither an admin nor an issuer of the network")
	}
	x, err := st.DraftRemovals(id.DID(), now, time.Time{}, m.DID)
	if err != nil {
		return r, err
	}
	r = Result{[][]byte{network.Sign(x.String(), id).Append(nil)}, "removed " + called(m) + " (" + m.DID.String() + ")"}
	if draft, l, err := line(st, id, m.DID.String(), now); err == nil {
		draft.Delete(l.DID)
		roster, err := sign(draft, id)
		if err != nil {
			return r, err
		}
		r.Docs = append(r.Docs, roster)
	}
	return r, nil
}

// dismiss removes an admin, which takes a head.
func dismiss(st *network.State, id *did.Identity, m *network.Member, now time.Time) (r Result, err error) {
	h, err := st.DraftHead(now)
	if err != nil {
		return r, err
	}
	other := func(d did.DID) bool { return d == m.DID }
	h.Admins = slices.DeleteFunc(h.Admins, other)
	h.Hubs = slices.DeleteFunc(h.Hubs, other)
	h.Issuers = slices.DeleteFunc(h.Issuers, func(i network.Issuer) bool { return i.DID == m.DID })
	at, there := slices.BinarySearchFunc(h.Removed, m.DID, func(x network.Removed, d did.DID) int { return strings.Compare(x.DID.String(), d.String()) })
	if !there {
		h.Removed = slices.Insert(h.Removed, at, network.Removed{DID: m.DID})
	}
	st.Absorb(h, m.DID)
	return head(st, h, id, "removed "+called(m)+", who was an admin", false)
}

func rename(st *network.State, id *did.Identity, c control.NetworkChange, now time.Time) (r Result, err error) {
	draft, l, err := line(st, id, c.Who, now)
	if err != nil {
		return r, err
	}
	if err := network.CheckName(c.Value); err != nil {
		return r, control.Wrong("%v", err)
	}
	free, err := st.View().FreeName(c.Value)
	switch {
	case err != nil:
		return r, plain(err)
	case c.Value == l.Name:
		return r, fmt.Errorf("it is called %s already", l.Name)
	case free != c.Value:
		return r, control.Wrong("the name %s is taken; %s is free", c.Value, free)
	}
	was := l.Name
	l.Name = c.Value
	draft.Put(l)
	doc, err := sign(draft, id)
	return Result{[][]byte{doc}, fmt.Sprintf("%s is called %s from now on", was, l.Name)}, err
}

func extend(st *network.State, id *did.Identity, c control.NetworkChange, now time.Time) (r Result, err error) {
	draft, l, err := line(st, id, c.Who, now)
	if err != nil {
		return r, err
	}
	l.Until = time.Time{}
	done := l.Name + " is a member without an end"
	if c.Until > 0 {
		l.Until = draft.Issued.Add(c.Until)
		done = fmt.Sprintf("%s is a member until %s", l.Name, l.Until.Format(time.DateTime)+" UTC")
	}
	draft.Put(l)
	doc, err := sign(draft, id)
	return Result{[][]byte{doc}, done}, err
}

func grant(st *network.State, id *did.Identity, c control.NetworkChange, now time.Time) (r Result, err error) {
	g, err := network.ParseGrant(c.Value)
	if err != nil {
		return r, plain(err)
	}
	h, err := st.DraftHead(now)
	if err != nil {
		return r, err
	}
	same := func(o network.Grant) bool { return o.String() == g.String() }
	there := slices.ContainsFunc(h.Grants, same)
	switch {
	case c.Do == control.DoGrant && there:
		return r, fmt.Errorf("it is granted already: %s", c.Value)
	case c.Do == control.DoRevoke && !there:
		return r, control.NotThere("there is no such grant: %s", c.Value)
	case c.Do == control.DoGrant:
		h.Grants = append(h.Grants, g)
		return head(st, h, id, "granted "+c.Value+unknown(st.View(), g), c.Draft)
	}
	h.Grants = slices.DeleteFunc(h.Grants, same)
	return head(st, h, id, "granted no more: "+c.Value, c.Draft)
}

// unknown says whom of a grant the network does not have: the name is mistyped, or for a
// member who gets it by a rename, as no newcomer can take it.
func unknown(v *network.View, g network.Grant) (note string) {
	for _, who := range g.Named() {
		if _, there := v.Named(who); !there {
			note += "; no member is called " + who + ", l2tun network rename gives the name"
		}
	}
	return note
}

func hub(st *network.State, id *did.Identity, c control.NetworkChange, now time.Time) (r Result, err error) {
	m, err := find(st.View(), c.Who)
	if err != nil {
		return r, err
	}
	h, err := st.DraftHead(now)
	if err != nil {
		return r, err
	}
	is := slices.Contains(h.Hubs, m.DID)
	switch {
	case c.Do == control.DoHub && is:
		return r, fmt.Errorf("%s is a hub already", called(m))
	case c.Do == control.DoNoHub && !is:
		return r, fmt.Errorf("%s is no hub", called(m))
	case c.Do == control.DoHub:
		h.Hubs = sorted(append(h.Hubs, m.DID)...)
		return head(st, h, id, called(m)+` is a hub; relay = "network" in its config lets it pass members' packets on`, c.Draft)
	}
	h.Hubs = slices.DeleteFunc(h.Hubs, func(d did.DID) bool { return d == m.DID })
	return head(st, h, id, called(m)+" is no hub any more", c.Draft)
}

// head signs a head. Where one signature is not enough, only a draft is of use.
func head(st *network.State, h *network.Head, id *did.Identity, done string, draft bool) (r Result, err error) {
	if _, err := network.ParseHead(h.String()); err != nil {
		return r, plain(err)
	}
	held := st.View().Head()
	switch {
	case !slices.Contains(held.Admins, id.DID()):
		return r, fmt.Errorf("this node is no admin of the network; an admin does that")
	case held.Threshold > 1 && !draft:
		return r, fmt.Errorf("%d of %d admins have to sign: --draft FILE writes what this node has signed, l2tun network sign FILE adds signatures, l2tun network take FILE puts it into use", held.Threshold, len(held.Admins))
	}
	return Result{[][]byte{network.Sign(h.String(), id).Append(nil)}, done}, nil
}
