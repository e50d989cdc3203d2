package netadmin

import (
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/network"
)

// The last admin of a machine is removed by the recovery key: what it signs afterwards counts
// for nobody, and nobody is a member by it any more.
func TestLastAdminIsRemovedByAnother(t *testing.T) {
	l := found(t)
	l.admit(l.founder, "phone")
	later, err := Draft(l.st, l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> all *"}, now)
	if err != nil {
		t.Fatal(err)
	}
	roster, _, err := Admit(l.st, l.founder, Newcomer{DID: identity(t, "friend").DID(), Name: "friend"}, now)
	if err != nil {
		t.Fatal(err)
	}
	l.want(l.do(l.recovery, control.NetworkChange{Do: control.DoRemove, Who: "one"}), "removed one, who was an admin")
	v := l.st.View()
	if v.IsAdmin(l.founder.DID()) || !v.IsAdmin(l.recovery.DID()) || v.Len() != 0 {
		t.Errorf("%d members, admins %v", v.Len(), v.Head().Admins)
	}
	if _, gone := v.Removed(l.founder.DID()); !gone {
		t.Error("it is not removed")
	}
	for what, doc := range map[string][]byte{"head": later.Docs[0], "roster": roster} {
		if _, err := l.st.Take(doc, now); err == nil {
			t.Error("a " + what + " of the removed admin is taken")
		}
	}
	l.want(l.do(l.founder, control.NetworkChange{Do: control.DoGrant, Value: "all -> all *"}), "no admin of the network")
	l.want(l.do(l.recovery, control.NetworkChange{Do: control.DoGrant, Value: "all -> all icmp"}), "granted")
}

// A node whose clock is wrong by years joins all the same, on either side: what its issuer
// signs is not older than what is held, nothing ends by it, and the clock is a finding.
func TestJoinWithAWrongClock(t *testing.T) {
	for name, clock := range map[string]time.Time{"years behind": now.AddDate(-20, 0, 0), "years ahead": now.AddDate(20, 0, 0)} {
		l := found(t)
		guest := identity(t, "guest")
		roster, _, err := Admit(l.st, l.founder, Newcomer{DID: guest.DID(), Name: "guest"}, clock) // the issuer's
		if err != nil {
			t.Fatal(name, err)
		}
		l.take(roster)
		st := network.New(l.st.ID()) // the newcomer's
		for _, doc := range l.st.Documents() {
			if _, err := st.Take(doc, clock); err != nil {
				t.Fatal(name, err)
			}
		}
		st.Saved()
		if _, member := st.View().Member(guest.DID()); !member || st.View().Len() != 2 {
			t.Errorf("%s: %d members", name, st.View().Len())
		}
		after, err := Draft(l.st, l.founder, control.NetworkChange{Do: control.DoRemove, Who: "guest"}, now)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, doc := range after.Docs {
			if _, err := st.Take(doc, clock); err != nil {
				t.Fatal(name, err)
			}
		}
		st.Saved()
		if _, gone := st.View().Removed(guest.DID()); !gone {
			t.Errorf("%s: it cannot be removed", name)
		}
		differs := slices.ContainsFunc(append(st.Findings(clock), l.st.Findings(now)...), func(f network.Finding) bool { return f.Code == network.ClockDiffers })
		if !differs {
			t.Errorf("%s: nobody is told", name)
		}
	}
}
