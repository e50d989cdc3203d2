package netadmin

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/network"
)

// office is a change of the head: who may change it, who may invite, and who is in whose place.
func office(st *network.State, id *did.Identity, c control.NetworkChange, now time.Time) (r Result, err error) {
	h, err := st.DraftHead(now)
	if err != nil {
		return r, err
	}
	var done string
	if c.Do == control.DoThreshold {
		done, err = threshold(h, c.Value)
	} else if done, err = officeOf(st, h, c); err == nil && len(h.Admins) > 0 && h.Threshold > len(h.Admins) {
		err = fmt.Errorf("%d admins have to sign, which %d cannot: l2tun network threshold changes that first", h.Threshold, len(h.Admins))
	}
	if err != nil {
		return r, err
	}
	return head(st, h, id, done, c.Draft)
}

func officeOf(st *network.State, h *network.Head, c control.NetworkChange) (done string, err error) {
	d, name, err := anybody(st.View(), c.Who)
	if err != nil {
		return "", err
	}
	switch c.Do {
	case control.DoAdmin:
		if slices.Contains(h.Admins, d) {
			return "", fmt.Errorf("%s is an admin already", name)
		}
		h.Admins = sorted(append(h.Admins, d)...)
		return fmt.Sprintf("%s is an admin; %d of %d have to sign", name, h.Threshold, len(h.Admins)), nil
	case control.DoNoAdmin:
		return noAdmin(st, h, d, name)
	case control.DoIssuer:
		return issuer(h, d, name, c)
	case control.DoNoIssuer:
		return noIssuer(st, h, d, name, c.Value == control.WithMembers)
	case control.DoSucceed:
		return succeed(st, h, d, name, c.Value)
	}
	return restore(st, h, d, name)
}

// anybody is a DID, which may be of no member, or the DID of a member that is meant.
func anybody(v *network.View, who string) (d did.DID, name string, err error) {
	m, err := find(v, who)
	if err == nil {
		return m.DID, called(m), nil
	}
	if d, e := did.Parse(who); e == nil {
		return d, d.String(), nil
	}
	return d, "", err
}

// Anybody is the DID of the member that is meant, or the DID that somebody has typed.
func Anybody(v *network.View, who string) (did.DID, bool) {
	d, _, err := anybody(v, who)
	return d, err == nil
}

func threshold(h *network.Head, value string) (string, error) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < 1:
		return "", control.Wrong("%q is no number of admins", value)
	case n > len(h.Admins):
		return "", control.Wrong("%d admins cannot sign: the network has %d", n, len(h.Admins))
	case n == h.Threshold:
		return "", fmt.Errorf("%d of %d admins have to sign already", n, len(h.Admins))
	}
	h.Threshold = n
	return fmt.Sprintf("%d of %d admins have to sign from now on", n, len(h.Admins)), nil
}

// noAdmin takes an office and not the membership. What the admin has removed stays removed.
func noAdmin(st *network.State, h *network.Head, d did.DID, name string) (string, error) {
	switch {
	case !slices.Contains(h.Admins, d):
		return "", control.NotThere("%s is no admin", name)
	case len(h.Admins) == 1:
		return "", fmt.Errorf("%s is the only admin: without one nobody could change the network", name)
	}
	h.Admins = slices.DeleteFunc(h.Admins, func(o did.DID) bool { return o == d })
	st.Absorb(h, d)
	return fmt.Sprintf("%s is no admin any more; %d of %d have to sign", name, h.Threshold, len(h.Admins)), nil
}

// issuer lets a node invite, or changes what it may: what is not said of one that is there
// stays. A new one has a prefix of its own, which overlaps no other's.
func issuer(h *network.Head, d did.DID, name string, c control.NetworkChange) (string, error) {
	at := slices.IndexFunc(h.Issuers, func(i network.Issuer) bool { return i.DID == d })
	scope := network.Issuer{DID: d}
	if at >= 0 {
		scope = h.Issuers[at]
	}
	if c.Groups != nil {
		scope.Groups = groups(c.Groups)
	}
	if slices.Contains(scope.Groups, "*") {
		scope.Groups = []string{"*"}
	}
	for _, g := range scope.Groups {
		if err := network.CheckName(g); err != nil && g != "*" {
			return "", control.Wrong("group %q: %v", g, err)
		}
	}
	switch c.Value {
	case control.MayRoute:
		scope.Routes = true
	case control.MayNotRoute:
		scope.Routes = false
	}
	if err := issuerPrefix(h, &scope, c.Prefix); err != nil {
		return "", err
	}
	if at >= 0 {
		h.Issuers[at] = scope
	} else {
		h.Issuers = append(h.Issuers, scope)
	}
	return fmt.Sprintf("%s may invite: addresses of %s, groups %s, routes %s", name, scope.Prefix, listed(scope.Groups), yesNo(scope.Routes)), nil
}

func issuerPrefix(h *network.Head, scope *network.Issuer, wanted string) (err error) {
	var others []netip.Prefix
	for _, i := range h.Issuers {
		if i.DID != scope.DID {
			others = append(others, i.Prefix)
		}
	}
	switch {
	case wanted == "" && scope.Prefix.IsValid():
		return nil
	case wanted == "":
		scope.Prefix, err = FreePrefix(others)
		return err
	}
	p, err := netip.ParsePrefix(wanted)
	if err != nil || p != p.Masked() {
		return control.Wrong("%q is not a network, such as 10.21.0.0/16", wanted)
	}
	for _, o := range others {
		if o.Overlaps(p) {
			return control.Wrong("%s overlaps %s, which another issuer has", p, o)
		}
	}
	scope.Prefix = p
	return nil
}

func listed(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// noIssuer takes the right to invite. Lines of the issuer count no more, which a person has
// to want where there are any.
func noIssuer(st *network.State, h *network.Head, d did.DID, name string, members bool) (string, error) {
	at := slices.IndexFunc(h.Issuers, func(i network.Issuer) bool { return i.DID == d })
	if at < 0 {
		return "", control.NotThere("%s is no issuer", name)
	}
	invited := 0
	for m := range st.View().Members() {
		if m.Issuer == d {
			invited++
		}
	}
	if invited > 0 && !members {
		return "", fmt.Errorf("%s has invited %d of the members, who would be none any more: --with-members if that is meant", name, invited)
	}
	h.Issuers = slices.Delete(h.Issuers, at, at+1)
	st.Absorb(h, d)
	return fmt.Sprintf("%s may not invite any more; members that go with it: %d", name, invited), nil
}

// succeed puts a new DID in the place of an old one, in all that the head says of it.
func succeed(st *network.State, h *network.Head, old did.DID, name, by string) (string, error) {
	next, err := did.Parse(by)
	if err != nil {
		return "", control.Wrong("%q is no DID: the new key's is needed, by l2tun id", by)
	}
	if _, there := st.View().Member(next); there || next == old {
		return "", fmt.Errorf("%v is a member of its own, and cannot be in the place of %s", next, name)
	}
	if _, gone := st.View().Removed(next); gone {
		return "", fmt.Errorf("%v was removed from the network", next)
	}
	for _, all := range []*[]did.DID{&h.Admins, &h.Hubs, &h.Directories} {
		if at := slices.Index(*all, old); at >= 0 {
			(*all)[at] = next
			*all = sorted(*all...)
		}
	}
	for i := range h.Issuers {
		if h.Issuers[i].DID == old {
			return "", fmt.Errorf("%s is an issuer, whose roster only its own key signs: l2tun network issuer add %v first, and invite its members again", name, next)
		}
	}
	for i := range h.Grants {
		for _, end := range []*string{&h.Grants[i].From, &h.Grants[i].To} {
			if *end == old.String() {
				*end = next.String()
			}
		}
	}
	at, there := slices.BinarySearchFunc(h.Successions, old, func(s network.Succession, d did.DID) int { return strings.Compare(s.Old.String(), d.String()) })
	if there {
		return "", fmt.Errorf("%s has a successor already", name)
	}
	h.Successions = slices.Insert(h.Successions, at, network.Succession{Old: old, New: next})
	return fmt.Sprintf("%v is in the place of %s from now on", next, name), nil
}

// restore takes removals back. Whoever is restored is a member where a line of an issuer
// still says so, and else may be invited again.
func restore(st *network.State, h *network.Head, d did.DID, name string) (string, error) {
	if _, gone := st.View().Removed(d); !gone {
		return "", control.NotThere("%s was not removed", name)
	}
	h.Removed = slices.DeleteFunc(h.Removed, func(r network.Removed) bool { return r.DID == d })
	at, there := slices.BinarySearchFunc(h.Restored, d, func(r network.Restored, d did.DID) int { return strings.Compare(r.DID.String(), d.String()) })
	if !there {
		h.Restored = slices.Insert(h.Restored, at, network.Restored{DID: d})
	}
	h.Restored[at].At = h.Issued
	return name + " is not removed any more; a new invitation lets it in", nil
}

// set changes groups and routes of a member's line: those that are given, nil stays.
func set(st *network.State, id *did.Identity, c control.NetworkChange, now time.Time) (r Result, err error) {
	draft, l, err := line(st, id, c.Who, now)
	if err != nil {
		return r, err
	}
	scope, _ := st.View().Issuer(id.DID())
	if c.Groups != nil {
		l.Groups = groups(c.Groups)
		if err := inScope(st.View(), id.DID(), l.Groups); err != nil {
			return r, err
		}
	}
	if c.Routes != nil {
		if l.Routes, err = prefixes(c.Routes); err != nil {
			return r, err
		}
		if len(l.Routes) > 0 && !scope.Routes {
			return r, fmt.Errorf("this node may not give routes: an admin lets it by l2tun network issuer add --routes")
		}
	}
	draft.Put(l)
	doc, err := sign(draft, id)
	return Result{[][]byte{doc}, fmt.Sprintf("%s has groups %s and routes %s", l.Name, listed(l.Groups), listed(texts(l.Routes)))}, err
}

func prefixes(in []string) (out []netip.Prefix, err error) {
	for _, s := range in {
		p, err := netip.ParsePrefix(s)
		if err != nil || p != p.Masked() {
			return nil, control.Wrong("route %q is not a network, such as 192.168.1.0/24", s)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	return slices.Compact(out), nil
}

func texts(all []netip.Prefix) (out []string) {
	for _, p := range all {
		out = append(out, p.String())
	}
	return out
}
