package network

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// maxFindings bounds the findings about lines: an issuer can write thousands of bad ones.
const maxFindings = 256

// A View is what the documents that are held say together. It never changes.
type View struct {
	head     *Head // nil before head 1
	hash     Hash
	next     map[did.DID]did.DID // successions
	heirs    map[did.DID]did.DID // and where they end
	gone     map[did.DID][]Gone
	barred   map[did.DID]bool // issuers that are removed
	members  []Member
	byDID    map[did.DID]int32
	byName   map[string]int32
	byAddr   map[netip.Addr]int32
	rosters  []*Roster // of the head's issuers, those that are here
	newest   time.Time // issued
	findings []Finding
	unshown  int
}

// A Member is a DID that belongs to the network.
type Member struct {
	DID    did.DID
	Name   string // empty: another member has the name that the roster says
	Addrs  []netip.Addr
	Routes []netip.Prefix
	Groups []string
	Issuer did.DID
	Until  time.Time // zero: no end
}

// Gone is a removal that counts.
type Gone struct {
	By     did.DID // zero: the threshold
	Issuer bool    // By is an issuer: only its own lines are meant
	At     time.Time
	Until  time.Time // lines that end later count; zero: none does
}

// A Finding is something to show to people.
type Finding struct {
	Code Code
	DID  did.DID // whom it is about; zero for the network
	Text string
}

func emptyView() *View { return &View{} }

// Head is the head that is held; nil before head 1. The caller must not change it.
func (v *View) Head() *Head { return v.head }

// HeadHash is the hash of its text.
func (v *View) HeadHash() Hash { return v.hash }

// Len is the number of members.
func (v *View) Len() int { return len(v.members) }

// Members are all, in the order of the head's issuers and of their rosters.
func (v *View) Members() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		for i := range v.members {
			if !yield(&v.members[i]) {
				return
			}
		}
	}
}

// Member finds a member by its DID. The caller must not change it.
func (v *View) Member(d did.DID) (*Member, bool) { return find(v, v.byDID, d) }

// Named finds a member by its name.
func (v *View) Named(name string) (*Member, bool) { return find(v, v.byName, name) }

// At finds a member by an overlay address, that of its DID included.
func (v *View) At(a netip.Addr) (*Member, bool) { return find(v, v.byAddr, a) }

func find[K comparable](v *View, index map[K]int32, key K) (*Member, bool) {
	i, ok := index[key]
	if !ok {
		return nil, false
	}
	return &v.members[i], true
}

// IsAdmin reports whether a DID is an admin.
func (v *View) IsAdmin(d did.DID) bool { return v.head != nil && slices.Contains(v.head.Admins, d) }

// Issuer is the scope of an issuer.
func (v *View) Issuer(d did.DID) (Issuer, bool) {
	if v.head != nil {
		for _, i := range v.head.Issuers {
			if i.DID == d {
				return i, true
			}
		}
	}
	return Issuer{}, false
}

// IsHub reports whether a DID is a member and a hub of the network.
func (v *View) IsHub(d did.DID) bool {
	_, member := v.byDID[d]
	return member && slices.Contains(v.head.Hubs, d)
}

// IsDirectory reports whether a DID is a member and a directory of the network.
func (v *View) IsDirectory(d did.DID) bool {
	_, member := v.byDID[d]
	return member && slices.Contains(v.head.Directories, d)
}

// Removed is the removal by which a DID is no member.
func (v *View) Removed(d did.DID) (Gone, bool) {
	if _, member := v.byDID[d]; member {
		return Gone{}, false
	}
	all := v.gone[v.final(d)]
	if len(all) == 0 {
		return Gone{}, false
	}
	return all[0], true
}

// Successor is the DID that is in the place of d, or d itself.
func (v *View) Successor(d did.DID) did.DID { return v.final(d) }

// final is the end of a DID's successions.
func (v *View) final(d did.DID) did.DID {
	if n, ok := v.heirs[d]; ok {
		return n
	}
	return d
}

func (v *View) succeeded(d did.DID) bool { _, ok := v.next[d]; return ok }

// Expired reports whether a member is past its end. It stays a member: nothing stops by
// date.
func (m *Member) Expired(now time.Time) bool { return !m.Until.IsZero() && now.After(m.Until) }

func (v *View) find(c Code, d did.DID, format string, args ...any) {
	if len(v.findings) >= maxFindings {
		v.unshown++
		return
	}
	v.findings = append(v.findings, Finding{c, d, fmt.Sprintf(format, args...)})
}

// equal reports whether two states of a member are the same.
func (m *Member) equal(o *Member) bool {
	return m.DID == o.DID && m.Name == o.Name && m.Issuer == o.Issuer && m.Until.Equal(o.Until) &&
		slices.Equal(m.Addrs, o.Addrs) && slices.Equal(m.Routes, o.Routes) && slices.Equal(m.Groups, o.Groups)
}

// differ says which members two views do not have alike.
func differ(before, after *View) (c Change) {
	for m := range after.Members() {
		if o, ok := before.Member(m.DID); !ok {
			c.Added = append(c.Added, m.DID)
		} else if !m.equal(o) {
			c.Altered = append(c.Altered, m.DID)
		}
	}
	for m := range before.Members() {
		if _, ok := after.Member(m.DID); !ok {
			c.Removed = append(c.Removed, m.DID)
		}
	}
	return c
}
