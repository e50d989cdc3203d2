package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// ErrPrefixFull is in the error of FreeAddr.
var ErrPrefixFull = errors.New("network: no address is free in the issuer's prefix")

// ErrNoHead is what drafts answer before head 1.
var ErrNoHead = errors.New("network: head 1 is not here yet")

// maxNameLen is the longest label of DNS.
const maxNameLen = 63

// DraftHead is the next head, as the one held but for serial, previous and issued. A fork
// is named as previous too.
func (s *State) DraftHead(now time.Time) (*Head, error) {
	if s.head == nil {
		return nil, ErrNoHead
	}
	h := *s.head.Head
	h.Serial++
	h.Network = s.id
	h.Previous = []Hash{s.head.hash}
	if s.fork != nil && s.fork.hash != s.head.hash {
		h.Previous = append(h.Previous, s.fork.hash)
		slices.SortFunc(h.Previous, func(a, b Hash) int { return strings.Compare(a.String(), b.String()) })
	}
	h.Issued = s.issueAt(now)
	h.Admins, h.Hubs, h.Directories = slices.Clone(h.Admins), slices.Clone(h.Hubs), slices.Clone(h.Directories)
	h.Issuers, h.Grants = slices.Clone(h.Issuers), slices.Clone(h.Grants)
	h.Successions, h.Removed, h.Restored = slices.Clone(h.Successions), slices.Clone(h.Removed), slices.Clone(h.Restored)
	return &h, nil
}

// Absorb adds to a draft what a signer has removed and is in effect: removals of one who
// loses an office end with it, unless the head says them.
func (s *State) Absorb(h *Head, by did.DID) {
	for d, all := range s.taken.gone {
		for _, g := range all {
			if g.By != by || slices.Contains(h.Admins, d) {
				continue
			}
			at, there := slices.BinarySearchFunc(h.Removed, d, func(r Removed, d did.DID) int { return byText(r.DID, d) })
			if !there {
				h.Removed = slices.Insert(h.Removed, at, Removed{d, g.Until})
			} else if old := &h.Removed[at]; g.Until.IsZero() || !old.Until.IsZero() && g.Until.After(old.Until) {
				old.Until = g.Until
			}
		}
	}
}

// DraftRoster is an issuer's next roster, with the lines of the one held.
func (s *State) DraftRoster(issuer did.DID, now time.Time) (*Roster, error) {
	if s.head == nil {
		return nil, ErrNoHead
	}
	r := &Roster{Network: s.id, Issuer: issuer, Serial: 1, Issued: s.issueAt(now)}
	if x := s.rosters[issuer]; x != nil {
		r.Serial = x.serial + 1
		if x.roster != nil {
			r.Lines = slices.Clone(x.roster.Lines)
		}
	}
	return r, nil
}

// Put adds a line, or puts it in place of the one with its DID.
func (x *Roster) Put(l Line) {
	at, there := x.find(l.DID)
	if there {
		x.Lines[at] = l
	} else {
		x.Lines = slices.Insert(x.Lines, at, l)
	}
}

// Delete takes a line out.
func (x *Roster) Delete(d did.DID) {
	if at, there := x.find(d); there {
		x.Lines = slices.Delete(x.Lines, at, at+1)
	}
}

func (x *Roster) find(d did.DID) (int, bool) {
	name := d.String()
	return slices.BinarySearchFunc(x.Lines, name, func(l Line, name string) int { return strings.Compare(l.DID.String(), name) })
}

// DraftRemovals is all that a signer has removed, waiting or not, and some DIDs more. Until
// zero: no line of theirs counts again.
func (s *State) DraftRemovals(by did.DID, now, until time.Time, gone ...did.DID) (*Removals, error) {
	if s.head == nil {
		return nil, ErrNoHead
	}
	r := &Removals{Network: s.id, By: by, Issued: s.issueAt(now)}
	all := make(map[did.DID]Removal)
	if x := s.removals[by]; x != nil {
		for _, d := range x.docs {
			for _, l := range d.Lines {
				if o, ok := all[l.DID]; ok {
					l = wider(l, &o)
				}
				all[l.DID] = l
			}
		}
	}
	for _, d := range gone {
		all[d] = Removal{DID: d, At: r.Issued, Until: until}
	}
	for _, l := range all {
		r.Lines = append(r.Lines, l)
	}
	slices.SortFunc(r.Lines, func(a, b Removal) int { return byText(a.DID, b.DID) })
	return r, nil
}

// issueAt is now, or the newest date that is held if the clock is behind it.
func (s *State) issueAt(now time.Time) time.Time {
	return s.taken.Time(now.UTC()).Truncate(time.Second)
}

// FreeName is want, or want with a number behind it, that no line of a roster has, counted
// or not.
func (v *View) FreeName(want string) (string, error) {
	r := &reader{}
	if r.memberName(want); r.err != nil {
		return "", r.err
	}
	taken := make(map[string]bool)
	for _, x := range v.rosters {
		for i := range x.Lines {
			taken[x.Lines[i].Name] = true
		}
	}
	name := want
	for n := 2; taken[name]; n++ {
		tail := fmt.Sprintf("-%d", n)
		name = strings.TrimRight(want[:min(len(want), maxNameLen-len(tail))], "-") + tail
	}
	return name, nil
}

// FreeAddr is an address for d in its issuer's prefix that no line of a roster has, counted
// or not. Where it is free it is the same each time, by the DID's digest, so that two
// machines of one issuer seldom choose one for two. Issuers' prefixes do not overlap: two
// issuers never clash.
func (v *View) FreeAddr(issuer, d did.DID) (netip.Addr, error) {
	scope, ok := v.Issuer(issuer)
	if !ok {
		return netip.Addr{}, refuse(NotIssuer, "%v is no issuer", issuer)
	}
	taken := make(map[netip.Addr]bool)
	for _, x := range v.rosters {
		for i := range x.Lines {
			for _, a := range x.Lines[i].Addrs {
				taken[a] = true
			}
		}
	}
	size := hosts(scope.Prefix)
	digest := d.Digest()
	start := binary.BigEndian.Uint64(digest[:]) % size
	for n := range min(size, uint64(len(taken))+3) { // so many are taken or unusable at most
		if a := nth(scope.Prefix, (start+n)%size); !taken[a] && usable(scope.Prefix, a) {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%w: %s", ErrPrefixFull, scope.Prefix)
}

// hosts is the number of addresses of a prefix, at most 2^32.
func hosts(p netip.Prefix) uint64 { return 1 << min(p.Addr().BitLen()-p.Bits(), 32) }

// nth is the address with a number in a prefix.
func nth(p netip.Prefix, n uint64) netip.Addr {
	if p.Addr().Is4() {
		b := p.Addr().As4()
		binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|uint32(n))
		return netip.AddrFrom4(b)
	}
	b := p.Addr().As16()
	binary.BigEndian.PutUint32(b[12:], binary.BigEndian.Uint32(b[12:])|uint32(n))
	return netip.AddrFrom16(b)
}

// usable leaves out the first address of a prefix and the last one of IPv4, but where there
// are two at most (RFC 3021).
func usable(p netip.Prefix, a netip.Addr) bool {
	if p.Addr().BitLen()-p.Bits() <= 1 {
		return true
	}
	return a != p.Addr() && (!a.Is4() || p.Contains(a.Next()))
}
