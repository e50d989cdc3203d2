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
