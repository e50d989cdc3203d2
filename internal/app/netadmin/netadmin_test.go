package netadmin

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/network"
)

var now = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

func identity(t *testing.T, name string) *did.Identity {
	t.Helper()
	seed := network.TextHash("seed of " + name)
	id, err := did.NewIdentity(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A lab is a network, its founder and the recovery key.
type lab struct {
	*testing.T
	st                *network.State
	founder, recovery *did.Identity
}

func found(t *testing.T) *lab {
	t.Helper()
	l := &lab{T: t, founder: identity(t, "founder"), recovery: identity(t, "recovery")}
	st, docs, err := Create(Founding{Name: "home", Self: "one", Prefix: netip.MustParsePrefix("10.20.0.0/16"), Hub: true, Recovery: l.recovery.DID()}, l.founder, now)
	if err != nil || len(docs) != 2 {
		t.Fatal(len(docs), err)
	}
	st.Saved()
	l.st = st
	return l
}

func (l *lab) take(docs ...[]byte) {
	l.Helper()
	for _, d := range docs {
		if _, err := l.st.Take(d, now); err != nil {
			l.Fatal(err)
		}
	}
	l.st.Saved()
}

func (l *lab) admit(by *did.Identity, name string, groups ...string) did.DID {
	l.Helper()
	d := identity(l.T, name).DID()
	roster, _, err := Admit(l.st, by, Newcomer{DID: d, Name: name, Groups: groups}, now)
	if err != nil {
		l.Fatal(err)
	}
	l.take(roster)
	return d
}

// do makes a change as a node does.
func (l *lab) do(by *did.Identity, c control.NetworkChange) string {
	l.Helper()
	r, err := Draft(l.st, by, c, now)
	if err != nil {
		return "error: " + err.Error()
	}
	l.take(r.Docs...)
	return r.Done
}

func (l *lab) want(got, want string) {
	l.Helper()
	if !strings.Contains(got, want) {
		l.Errorf("got %q, want %q", got, want)
	}
}

// Who creates a network is its admin, issuer, hub and first member; the recovery key may
// change it alone, and is no member.
func TestCreatedNetwork(t *testing.T) {
	l := found(t)
	v := l.st.View()
	me, ok := v.Named("one")
	if !ok || me.DID != l.founder.DID() || !v.IsAdmin(me.DID) || !v.IsHub(me.DID) || !v.Head().Issuers[0].Prefix.Contains(me.Addrs[0]) || v.Len() != 1 {
		t.Errorf("%+v", me)
	}
	l.want(l.do(l.recovery, control.NetworkChange{Do: control.DoGrant, Value: "all -> all tcp:22"}), "granted all -> all tcp:22")
	if len(l.st.View().Head().Grants) != 1 {
		t.Error("the recovery key cannot grant")
	}
}

// SPEC R-6.12-4: a newcomer chooses its name, and with it nothing that is granted to the name.
func TestNewcomersTakeNoGrantOfAName(t *testing.T) {
	l := found(t)
	for _, g := range []string{"laptop -> all *", "all -> nas tcp:22"} {
		l.do(l.founder, control.NetworkChange{Do: control.DoGrant, Value: g})
	}
	for _, name := range []string{"laptop", "nas"} {
		d := l.admit(l.founder, name)
		m, _ := l.st.View().Member(d)
		if m.Name != name+"-2" {
			t.Errorf("%s is a member as %s", name, m.Name)
		}
		l.do(l.founder, control.NetworkChange{Do: control.DoRename, Who: m.Name, Value: name})
		if _, ok := l.st.View().Named(name); !ok {
			t.Errorf("a person cannot name it %s", name)
		}
	}
}

// Names that are taken get a number, addresses are the issuer's and differ, groups are within
// its scope, and a node that comes again stays as it is.
func TestNewcomersGetNamesAndAddresses(t *testing.T) {
	l := found(t)
	first := l.admit(l.founder, "laptop", "phone", "laptop")
	again, line, err := Admit(l.st, l.founder, Newcomer{DID: identity(t, "other").DID(), Name: "Laptop.Example"}, now)
	if err != nil || line.Name != "laptop-example" {
		t.Error(line.Name, err)
	}
	l.take(again)
	_, line, err = Admit(l.st, l.founder, Newcomer{DID: identity(t, "third").DID(), Name: "LAPTOP"}, now)
	if err != nil || line.Name != "laptop-2" {
		t.Error(line.Name, err)
	}
	if roster, line, err := Admit(l.st, l.founder, Newcomer{DID: first, Name: "x"}, now); roster != nil || err != nil || line.Name != "laptop" {
		t.Error(roster != nil, line.Name, err)
	}
	all := Members(l.st.View())
	if len(all) != 3 || !slices.Equal(all[slices.IndexFunc(all, func(m control.Member) bool { return m.Name == "laptop" })].Groups, []string{"laptop", "phone"}) {
		t.Errorf("%+v", all)
	}
	if _, _, err := Admit(l.st, l.recovery, Newcomer{DID: who(1), Name: "x"}, now); err == nil {
		t.Error("a key that is no issuer admits")
	}
	for in, want := range map[string]string{"": "node", "all": "node", "Ünder Café": "nder-caf", "-a-": "a", strings.Repeat("a", 70): strings.Repeat("a", 63)} {
		if got := Label(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func who(n byte) did.DID { return did.FromDigest([32]byte{n, 9}) }

// A removal counts at once, the name is free, and the node does not come back with its key.
func TestRemovedMember(t *testing.T) {
	l := found(t)
	d := l.admit(l.founder, "phone")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRemove, Who: "phone"}), "removed phone ("+d.String()+")")
	if _, there := l.st.View().Member(d); there {
		t.Error("it is still a member")
	}
	if free, err := l.st.View().FreeName("phone"); free != "phone" || err != nil {
		t.Error(free, err)
	}
	if _, _, err := Admit(l.st, l.founder, Newcomer{DID: d, Name: "phone"}, now); err == nil || !strings.Contains(err.Error(), "was removed from the network") {
		t.Error(err)
	}
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRemove, Who: "phone"}), `no member "phone"`)
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRemove, Who: "one"}), "this node itself")
}

// What only its issuer or an admin may do is refused to others, with a sentence.
func TestOthersAreRefused(t *testing.T) {
	l := found(t)
	l.admit(l.founder, "phone")
	stranger := identity(t, "stranger")
	for _, c := range []control.NetworkChange{{Do: control.DoRemove, Who: "phone"}, {Do: control.DoRename, Who: "phone", Value: "x"}, {Do: control.DoExtend, Who: "phone"},
		{Do: control.DoGrant, Value: "all -> all tcp:22"}, {Do: control.DoHub, Who: "phone"}, {Do: "dance"}} {
		if got := l.do(stranger, c); !strings.HasPrefix(got, "error: ") {
			t.Errorf("%s: %s", c.Do, got)
		}
	}
	l.want(l.do(l.recovery, control.NetworkChange{Do: control.DoRename, Who: "phone", Value: "x"}), "was invited by another node")
}

// Each change shows in the documents; what is there already, or is wrong, is one sentence.
func TestChanges(t *testing.T) {
	l := found(t)
	d := l.admit(l.founder, "phone")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRename, Who: "phone", Value: "mobile"}), "phone is called mobile")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRename, Who: "mobile", Value: "one"}), "the name one is taken; one-2 is free")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRename, Who: "mobile", Value: "No"}), "capital")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoExtend, Who: d.String(), Until: 48 * time.Hour}), "until 2026-12-03 10:00:00 UTC")
	if m, _ := l.st.View().Named("mobile"); !m.Until.Equal(now.Add(48 * time.Hour)) {
		t.Error(m.Until)
	}
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoExtend, Who: "mobile"}), "without an end")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoHub, Who: "mobile"}), "mobile is a hub")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoHub, Who: "mobile"}), "a hub already")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoNoHub, Who: "mobile"}), "no hub any more")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> mobile tcp:22"}), "granted")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> mobile tcp:22"}), "granted already")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> mobile tcp"}), "error: ")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRevoke, Value: "all -> mobile tcp:22"}), "granted no more")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRevoke, Value: "all -> mobile tcp:22"}), "no such grant")
}

// Offices: who is given one has what it lets do, and no more after it is taken away.
func TestOffices(t *testing.T) {
	l := found(t)
	nas := l.admit(l.founder, "nas")
	nasKey, stranger := identity(t, "key of nas"), identity(t, "stranger")
	l.want(l.do(stranger, control.NetworkChange{Do: control.DoAdmin, Who: "nas"}), "no admin of the network")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoAdmin, Who: "nas"}), "nas is an admin; 1 of 3 have to sign")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoAdmin, Who: nas.String()}), "an admin already")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoAdmin, Who: nasKey.DID().String()}), "1 of 4") // no member
	l.want(l.do(nasKey, control.NetworkChange{Do: control.DoGrant, Value: "all -> all icmp"}), "granted")
	for value, want := range map[string]string{"5": "5 admins cannot sign: the network has 4", "0": "no number", "two": "no number", "1": "already"} {
		l.want(l.do(l.founder, control.NetworkChange{Do: control.DoThreshold, Value: value}), want)
	}
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoNoAdmin, Who: nasKey.DID().String()}), "no admin any more; 1 of 3")
	l.want(l.do(nasKey, control.NetworkChange{Do: control.DoRevoke, Value: "all -> all icmp"}), "no admin of the network")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoNoAdmin, Who: nasKey.DID().String()}), "is no admin")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoNoAdmin, Who: "nas"}), "1 of 2")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoNoAdmin, Who: l.recovery.DID().String()}), "1 of 1")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoNoAdmin, Who: "one"}), "the only admin")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoAdmin, Who: l.recovery.DID().String()}), "1 of 2")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoThreshold, Value: "2"}), "2 of 2 admins have to sign")
	c := control.NetworkChange{Do: control.DoNoAdmin, Who: l.recovery.DID().String(), Draft: true}
	if _, err := Draft(l.st, l.founder, c, now); err == nil || !strings.Contains(err.Error(), "l2tun network threshold changes that first") {
		t.Error(err)
	}
}

// An issuer invites within what an admin lets it; what is not said again stays, and its
// members go with it only if that is meant.
func TestIssuers(t *testing.T) {
	l := found(t)
	key := identity(t, "another issuer")
	who := key.DID().String()
	do := func(c control.NetworkChange) string {
		c.Who = who
		return l.do(l.founder, c)
	}
	l.want(do(control.NetworkChange{Do: control.DoNoIssuer}), "is no issuer")
	l.want(do(control.NetworkChange{Do: control.DoIssuer, Prefix: "10.20.1.0/24"}), "another issuer has")
	l.want(do(control.NetworkChange{Do: control.DoIssuer, Prefix: "10.21.0.1/16"}), "is not a network")
	l.want(do(control.NetworkChange{Do: control.DoIssuer, Groups: []string{"No"}}), "capital")
	l.want(do(control.NetworkChange{Do: control.DoIssuer, Groups: []string{"phone", "laptop"}, Prefix: "10.21.0.0/16"}), "addresses of 10.21.0.0/16, groups laptop, phone, routes no")
	l.want(do(control.NetworkChange{Do: control.DoIssuer, Value: control.MayRoute}), "addresses of 10.21.0.0/16, groups laptop, phone, routes yes")
	l.want(do(control.NetworkChange{Do: control.DoIssuer, Groups: []string{}, Value: control.MayNotRoute}), "groups none, routes no")
	l.want(do(control.NetworkChange{Do: control.DoIssuer, Groups: []string{"phone", "*"}}), "groups *, routes no")
	do(control.NetworkChange{Do: control.DoIssuer, Groups: []string{"phone"}})
	if _, _, err := Admit(l.st, key, Newcomer{DID: identity(t, "x").DID(), Name: "x", Groups: []string{"nas"}}, now); err == nil {
		t.Error("a group that it may not give")
	}
	d := l.admit(key, "tablet", "phone")
	m, ok := l.st.View().Member(d)
	if !ok || !netip.MustParsePrefix("10.21.0.0/16").Contains(m.Addrs[0]) {
		t.Fatalf("%+v", m)
	}
	l.want(l.do(key, control.NetworkChange{Do: control.DoSet, Who: "tablet", Routes: []string{"192.168.1.0/24"}}), "may not give routes")
	l.want(l.do(key, control.NetworkChange{Do: control.DoSet, Who: "tablet", Groups: []string{}}), "tablet has groups none and routes none")
	l.want(do(control.NetworkChange{Do: control.DoNoIssuer}), "has invited 1 of the members")
	l.want(do(control.NetworkChange{Do: control.DoNoIssuer, Value: control.WithMembers}), "members that go with it: 1")
	if _, ok := l.st.View().Member(d); ok {
		t.Error("a member of one who is no issuer")
	}
	do(control.NetworkChange{Do: control.DoIssuer})
	if i, ok := l.st.View().Issuer(key.DID()); !ok || !i.Prefix.IsValid() || i.Prefix.Overlaps(netip.MustParsePrefix("10.20.0.0/16")) || i.Routes || len(i.Groups) != 0 {
		t.Errorf("%+v", i)
	}
}

// Groups and routes of a member, each as it is said, the other one as it is.
func TestGroupsAndRoutesOfAMember(t *testing.T) {
	l := found(t)
	l.admit(l.founder, "nas", "server")
	set := func(c control.NetworkChange) string {
		c.Do, c.Who = control.DoSet, "nas"
		return l.do(l.founder, c)
	}
	l.want(set(control.NetworkChange{Routes: []string{"192.168.2.0/24", "192.168.1.0/24"}}), "nas has groups server and routes 192.168.1.0/24, 192.168.2.0/24")
	l.want(set(control.NetworkChange{Groups: []string{"lab", "home"}}), "nas has groups home, lab and routes 192.168.1.0/24, 192.168.2.0/24")
	l.want(set(control.NetworkChange{Routes: []string{"192.168.1.1/24"}}), "is not a network")
	l.want(set(control.NetworkChange{Groups: []string{"No"}}), "capital")
	if m, _ := l.st.View().Named("nas"); len(m.Routes) != 2 || !slices.Equal(m.Groups, []string{"home", "lab"}) {
		t.Errorf("%+v", m)
	}
	l.want(set(control.NetworkChange{Routes: []string{}}), "nas has groups home, lab and routes none")
}

// A new key is in the place of an old one: name, address and what is granted stay. A removal
// that is taken back lets a node be invited again.
func TestSuccessionAndRestoring(t *testing.T) {
	l := found(t)
	d := l.admit(l.founder, "nas")
	next := identity(t, "new key of nas").DID()
	was, _ := l.st.View().Member(d)
	l.do(l.founder, control.NetworkChange{Do: control.DoHub, Who: "nas"})
	l.do(l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> " + d.String() + " tcp:22"})
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoSucceed, Who: "nas", Value: "x"}), "no DID")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoSucceed, Who: "nas", Value: l.founder.DID().String()}), "a member of its own")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoSucceed, Who: "one", Value: next.String()}), "is an issuer")
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoSucceed, Who: "nas", Value: next.String()}), "in the place of nas")
	m, ok := l.st.View().Named("nas")
	if !ok || m.DID != next || m.Addrs[0] != was.Addrs[0] || !l.st.View().IsHub(next) || l.st.View().Head().Grants[0].To != next.String() {
		t.Errorf("%+v", m)
	}
	if _, ok := l.st.View().Member(d); ok {
		t.Error("the old key is a member")
	}
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRestore, Who: "nas"}), "was not removed")
	phone := l.admit(l.founder, "phone")
	l.do(l.founder, control.NetworkChange{Do: control.DoRemove, Who: "phone"})
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoRestore, Who: phone.String()}), "not removed any more")
	roster, line, err := Admit(l.st, l.founder, Newcomer{DID: phone, Name: "phone"}, now)
	if err != nil || line.Name != "phone" {
		t.Fatal(err)
	}
	l.take(roster)
	if _, ok := l.st.View().Member(phone); !ok {
		t.Error("it cannot be invited again")
	}
}

// A head that two have to sign is drafted by one, signed by the other on a machine without
// network, and taken; with one signature it is refused.
func TestTwoSignATogether(t *testing.T) {
	l := found(t)
	h, err := l.st.DraftHead(now)
	if err != nil {
		t.Fatal(err)
	}
	h.Threshold = 2
	l.take(network.Sign(h.String(), l.founder).Append(nil))
	c := control.NetworkChange{Do: control.DoGrant, Value: "all -> all icmp"}
	if _, err := Draft(l.st, l.founder, c, now); err == nil || !strings.Contains(err.Error(), "--draft") {
		t.Fatal(err)
	}
	c.Draft = true
	r, err := Draft(l.st, l.founder, c, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.st.Take(r.Docs[0], now); network.CodeOf(err) != network.ThresholdNotMet {
		t.Error(err)
	}
	signed, n, err := Countersign(r.Docs[0], l.recovery)
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if _, _, err := Countersign(signed, l.recovery); err == nil {
		t.Error("signed twice")
	}
	l.take(signed)
}

// Where no node runs, a network is kept, changed and read in files.
func TestChangesWithoutANode(t *testing.T) {
	l := found(t)
	o := Offline{Config: filepath.Join(t.TempDir(), "n.toml")}
	if err := o.Keep(l.st, nil, now); err != nil {
		t.Fatal(err)
	}
	done, err := o.Change(l.st.ID(), l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> all tcp:22"}, now)
	if err != nil || done.Done != "granted all -> all tcp:22" || len(done.Document) == 0 {
		t.Fatal(done.Done, err)
	}
	st, err := o.Open(l.st.ID())
	if err != nil || len(st.View().Head().Grants) != 1 {
		t.Fatal(err)
	}
	if _, err := o.Change(network.Hash{1}, l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> all tcp:22"}, now); err == nil {
		t.Error("a network of which nothing is known is changed")
	}
}
