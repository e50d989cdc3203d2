package netadmin

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/network"
)

// A Newcomer is a node that becomes a member.
type Newcomer struct {
	DID    did.DID
	Name   string // wanted; one that is taken, or that a grant is about, gets a number behind it
	Groups []string
	Until  time.Time
}

// Admit drafts and signs the roster of this node with a newcomer in it. A member stays as it
// is: a join that was repeated changes nothing, and roster is nil.
func Admit(st *network.State, id *did.Identity, n Newcomer, now time.Time) (roster []byte, line network.Line, err error) {
	v := st.View()
	if m, there := v.Member(n.DID); there {
		return nil, network.Line{DID: m.DID, Name: m.Name, Addrs: m.Addrs, Groups: m.Groups}, nil
	}
	if _, gone := v.Removed(n.DID); gone {
		return nil, line, fmt.Errorf("this node was removed from the network; with a new key (l2tun id --new) it can be invited again")
	}
	name, err := nameOf(v, Label(n.Name))
	if err != nil {
		return nil, line, plain(err)
	}
	addr, err := v.FreeAddr(id.DID(), n.DID)
	if err != nil {
		return nil, line, plain(err)
	}
	draft, err := st.DraftRoster(id.DID(), now)
	if err != nil {
		return nil, line, err
	}
	line = network.Line{DID: n.DID, Name: name, Addrs: []netip.Addr{addr}, Groups: groups(n.Groups), Until: n.Until.UTC().Truncate(time.Second)}
	if n.Until.IsZero() {
		line.Until = time.Time{}
	}
	if err := inScope(v, id.DID(), line.Groups); err != nil {
		return nil, line, err
	}
	draft.Put(line)
	roster, err = sign(draft, id)
	return roster, line, err
}

// nameOf is a name for a newcomer, which has chosen it: what is granted to a name that nobody
// has, or has any more, is given to a node by a person (rename).
func nameOf(v *network.View, want string) (string, error) {
	named := make(map[string]bool)
	if h := v.Head(); h != nil {
		for _, g := range h.Grants {
			named[g.From], named[g.To] = true, true
		}
	}
	name, err := v.FreeName(want)
	for n := 2; err == nil && named[name]; n++ {
		tail := fmt.Sprintf("-%d", n)
		name, err = v.FreeName(strings.TrimRight(want[:min(len(want), 63-len(tail))], "-") + tail)
	}
	return name, err
}

// Label makes a name for a member of any text, such as that of a host.
func Label(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			b.WriteRune(c)
		} else if b.Len() > 0 {
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-")
	name = strings.TrimRight(name[:min(len(name), 63)], "-")
	if name == "" || name == "all" || name == "exit" {
		return "node"
	}
	return name
}

func groups(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return slices.Compact(out)
}

// MayInvite reports why a node may not give members groups; nil: it may.
func MayInvite(v *network.View, self did.DID, in []string) error {
	if v.Head() == nil {
		return fmt.Errorf("the documents of the network are not here yet: start the node (l2tun up), which fetches them")
	}
	return inScope(v, self, groups(in))
}

// inScope refuses groups that an issuer may not give: the line would not count.
func inScope(v *network.View, issuer did.DID, groups []string) error {
	scope, ok := v.Issuer(issuer)
	if !ok {
		return fmt.Errorf("this node is no issuer of the network: an issuer or an admin does that")
	}
	for _, g := range groups {
		if err := network.CheckName(g); err != nil {
			return fmt.Errorf("group %q: %w", g, err)
		}
		if !slices.Contains(scope.Groups, "*") && !slices.Contains(scope.Groups, g) {
			return fmt.Errorf("this node may not give group %s, only %s: an admin can let it", g, strings.Join(scope.Groups, ", "))
		}
	}
	return nil
}

// sign signs a draft, after it was read as others read it.
func sign(draft *network.Roster, id *did.Identity) ([]byte, error) {
	if _, err := network.ParseRoster(draft.String()); err != nil {
		return nil, plain(err)
	}
	return network.Sign(draft.String(), id).Append(nil), nil
}

// find is the member that somebody means: by name, DID or address.
func find(v *network.View, who string) (*network.Member, error) {
	if d, err := did.Parse(who); err == nil {
		if m, ok := v.Member(d); ok {
			return m, nil
		}
	}
	if a, err := netip.ParseAddr(who); err == nil {
		if m, ok := v.At(a); ok {
			return m, nil
		}
	}
	if m, ok := v.Named(who); ok {
		return m, nil
	}
	return nil, control.NotThere("the network has no member %q; l2tun network members lists them", who)
}

// line is the line of a member in the roster of this node, which alone can change it.
func line(st *network.State, id *did.Identity, who string, now time.Time) (*network.Roster, network.Line, error) {
	m, err := find(st.View(), who)
	if err != nil {
		return nil, network.Line{}, err
	}
	if m.Issuer != id.DID() {
		return nil, network.Line{}, fmt.Errorf("%s was invited by another node, %s, which alone can change its line", called(m), m.Issuer)
	}
	draft, err := st.DraftRoster(id.DID(), now)
	if err != nil {
		return nil, network.Line{}, err
	}
	for _, l := range draft.Lines {
		if st.View().Successor(l.DID) == m.DID {
			return draft, l, nil
		}
	}
	return nil, network.Line{}, fmt.Errorf("%s is not in the roster of this node", called(m))
}

func called(m *network.Member) string {
	if m.Name != "" {
		return m.Name
	}
	return m.DID.String()
}

// Members lists the members of a network.
func Members(v *network.View) []control.Member {
	all := []control.Member{}
	for m := range v.Members() {
		x := control.Member{DID: m.DID.String(), Name: m.Name, Addresses: []string{}, Routes: []string{}, Groups: append([]string{}, m.Groups...),
			Issuer: m.Issuer.String(), Hub: v.IsHub(m.DID), Admin: v.IsAdmin(m.DID)}
		if !m.Until.IsZero() {
			x.Until = m.Until.Format(time.RFC3339)
		}
		for _, a := range m.Addrs {
			x.Addresses = append(x.Addresses, a.String())
		}
		x.Addresses = append(x.Addresses, m.DID.Addr().String())
		for _, r := range m.Routes {
			x.Routes = append(x.Routes, r.String())
		}
		all = append(all, x)
	}
	return all
}
