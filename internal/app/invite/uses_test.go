package invite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/network"
)

func node(n byte) did.DID { return did.FromDigest([32]byte{n}) }

// several is a store with an invitation into a network.
func several(t *testing.T, i Invitation) (*Store, Link) {
	t.Helper()
	s := NewStore(filepath.Join(t.TempDir(), "n.toml"))
	l := NewLink(Link{DID: node(99), Endpoints: []string{"192.0.2.1:4242"}, Until: time.Now().Add(time.Hour), Network: network.Hash{1}.String(), Called: "home"})
	i.Network = l.Network
	if err := s.Add(l, i); err != nil {
		t.Fatal(err)
	}
	return s, l
}

// A link into a network is read back as it was made, and damage is noticed.
func TestNetworkLinks(t *testing.T) {
	_, l := several(t, Invitation{})
	got, err := Parse(l.Text())
	if err != nil || got.Network != l.Network || got.Called != "home" || len(got.Contacts()) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, bad := range []Link{{Network: l.Network}, {Network: "11", Called: "home"}, {Network: l.Network, Called: "Home"}} {
		x := l
		x.Network, x.Called = bad.Network, bad.Called
		if _, err := Parse(x.Text()); !errors.Is(err, ErrLink) {
			t.Errorf("%q %q: %v", bad.Network, bad.Called, err)
		}
	}
}

// As many join as may, each as often as it likes; what led to nothing is given back.
func TestSeveralUseOneInvitation(t *testing.T) {
	s, l := several(t, Invitation{Uses: 2})
	use := func(n byte) error {
		_, _, err := s.Use(l.ID, l.Proof(), node(n), "", time.Now())
		return err
	}
	for n, want := range map[byte]error{1: nil, 2: nil} {
		if err := use(n); err != want {
			t.Error(n, err)
		}
	}
	if err := use(3); !errors.Is(err, ErrUsed) {
		t.Error(err)
	}
	if err := errors.Join(use(1), s.Entered(l.ID, node(1)), s.GiveBack(l.ID, node(1)), s.GiveBack(l.ID, node(2)), use(3), s.Entered(l.ID, node(3))); err != nil {
		t.Error(err)
	}
	if i, err := s.Get(l.ID); err != nil || !i.Joined || i.Left() != 0 || i.State(time.Now()) != "used" {
		t.Errorf("%+v, %v", i, err)
	}
	if _, _, err := s.Use(l.ID, [32]byte{}, node(1), "", time.Now()); !errors.Is(err, ErrAltered) {
		t.Error(err)
	}
	if err := use(1); err != nil {
		t.Error("the answer was lost, and it comes again:", err)
	}
	if _, _, err := s.Use(l.ID, l.Proof(), node(4), "", time.Now().Add(2*time.Hour)); !errors.Is(err, ErrExpired) {
		t.Error(err)
	}
	if _, _, err := s.Use("00000000", l.Proof(), node(4), "", time.Now()); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// With approval a node waits until a person has said yes; after a no it is refused, and its
// place is free.
func TestPersonDecides(t *testing.T) {
	s, l := several(t, Invitation{Uses: 1, Approve: true})
	use := func(n byte, name string) (string, error) {
		_, u, err := s.Use(l.ID, l.Proof(), node(n), name, time.Now())
		return u.State, err
	}
	if st, err := use(1, "phone"); st != Wanting || err != nil {
		t.Error(st, err)
	}
	if _, err := use(2, "other"); !errors.Is(err, ErrUsed) {
		t.Error(err)
	}
	if u, err := s.Decide("phone", false); err != nil || u.DID != node(1).String() {
		t.Error(u, err)
	}
	if _, err := use(1, "phone"); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	if st, err := use(2, "other"); st != Wanting || err != nil {
		t.Error(st, err)
	}
	if _, err := s.Decide(node(2).String(), true); err != nil {
		t.Error(err)
	}
	if st, err := use(2, "other"); st != Agreed || err != nil {
		t.Error(st, err)
	}
	if _, err := s.Decide("other", true); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// A node that waits chooses its name: with another's DID, or the name that another asks for,
// it is not taken for the other.
func TestNobodyIsLetInForAnother(t *testing.T) {
	s, l := several(t, Invitation{Uses: 3, Approve: true})
	for n, name := range map[byte]string{1: node(2).String(), 2: "phone", 3: "phone"} {
		if _, _, err := s.Use(l.ID, l.Proof(), node(n), name, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := s.Decide("phone", true); !errors.Is(err, ErrSeveral) {
		t.Error(u, err)
	}
	if u, err := s.Decide(node(2).String(), true); err != nil || u.DID != node(2).String() {
		t.Error(u, err)
	}
	if u, err := s.Decide(node(2).String(), true); !errors.Is(err, ErrUnknown) {
		t.Error(u, err)
	}
	if u, err := s.Decide("phone", true); err != nil || u.DID != node(3).String() {
		t.Error(u, err)
	}
}
