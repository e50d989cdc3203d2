package join

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

// opening is a host whose config is in use, and networks that note whom they admit.
type opening struct {
	admitted []string
	err      error
}

func (r *opening) InUse() *config.Config      { return new(config.Config) }
func (r *opening) Pending() error             { return nil }
func (r *opening) Apply(*config.Config) error { return nil }

func (r *opening) Admit(i invite.Invitation, who did.DID, u invite.User) (string, invite.Reason, error) {
	if r.err != nil {
		return "", invite.Conflict, r.err
	}
	r.admitted = append(r.admitted, u.Name+" "+who.Short()+" "+i.Network[:4])
	return u.Name + "-2", "", nil
}

// SPEC R-6.12-4: a node that comes with a link into a network is a member before it has the
// answer; who comes again has the same answer, one more than may is refused, and a node that
// could not be let in gives its place back.
func TestJoinIntoANetwork(t *testing.T) {
	store := invite.NewStore(filepath.Join(t.TempDir(), "n.toml"))
	host := new(opening)
	a := &Admission{Store: store, Host: host, Networks: host, Log: slog.New(slog.DiscardHandler)}
	l := invite.NewLink(invite.Link{DID: did.FromDigest([32]byte{9}), Endpoints: []string{"192.0.2.1:4242"}, Until: time.Now().Add(time.Hour), Network: network.Hash{1}.String(), Called: "home"})
	if err := store.Add(l, invite.Invitation{Network: l.Network, Uses: 1}); err != nil {
		t.Fatal(err)
	}
	called := ""
	ask := func(n byte) invite.Reason {
		t.Helper()
		b := a.Answer(t.Context(), did.FromDigest([32]byte{n}), wire.FrameJoin, invite.NewMembership(l, nil, "phone"))
		answer, err := invite.ParseAnswer(b)
		if err != nil {
			t.Fatal(err)
		}
		called = answer.Name
		return answer.Refused
	}
	host.err = errors.New("the disk is full")
	if r := ask(1); r != invite.Conflict || called != "" {
		t.Error(r, called)
	}
	host.err = nil
	if r := ask(2); r != "" || len(host.admitted) != 1 || called != "phone-2" {
		t.Errorf("%q, %q, called %q", r, host.admitted, called)
	}
	if r := ask(2); r != "" {
		t.Errorf("again: %q", r)
	}
	if r := ask(3); r != invite.Used {
		t.Errorf("one more: %q", r)
	}
}

// Where a person has to agree, the node waits, and is no member.
func TestJoinWaitsForAPerson(t *testing.T) {
	store := invite.NewStore(filepath.Join(t.TempDir(), "n.toml"))
	host := new(opening)
	a := &Admission{Store: store, Host: host, Networks: host, Log: slog.New(slog.DiscardHandler)}
	l := invite.NewLink(invite.Link{DID: did.FromDigest([32]byte{9}), Endpoints: []string{"192.0.2.1:4242"}, Until: time.Now().Add(time.Hour), Network: network.Hash{1}.String(), Called: "home"})
	if err := store.Add(l, invite.Invitation{Network: l.Network, Approve: true}); err != nil {
		t.Fatal(err)
	}
	r := invite.Request{ID: l.ID, Name: "phone"}
	proof := l.Proof()
	r.Proof = proof[:]
	if _, reason, err := a.admitMember(did.FromDigest([32]byte{1}), r); reason != invite.Waiting || err != nil || host.admitted != nil {
		t.Error(reason, err, host.admitted)
	}
	if _, err := store.Decide("phone", true); err != nil {
		t.Fatal(err)
	}
	r.Name = "nas" // not what the person has seen
	if _, reason, err := a.admitMember(did.FromDigest([32]byte{1}), r); reason != "" || err != nil || len(host.admitted) != 1 || !strings.HasPrefix(host.admitted[0], "phone ") {
		t.Error(reason, err, host.admitted)
	}
}

// A link that has expired lets nobody in who is no member, and says so; a member that repeats
// its join, because the answer was lost, has it.
func TestExpiredLinkIntoANetwork(t *testing.T) {
	store := invite.NewStore(filepath.Join(t.TempDir(), "n.toml"))
	host := new(opening)
	a := &Admission{Store: store, Host: host, Networks: host, Log: slog.New(slog.DiscardHandler)}
	l := invite.NewLink(invite.Link{DID: did.FromDigest([32]byte{9}), Endpoints: []string{"192.0.2.1:4242"}, Until: time.Now().Add(-time.Hour), Network: network.Hash{1}.String(), Called: "home"})
	if err := store.Add(l, invite.Invitation{Network: l.Network, Uses: 9}); err != nil {
		t.Fatal(err)
	}
	ask := func(n byte) (called string, err error) {
		o := &Options{Link: l}
		return o.refusal(a.Answer(t.Context(), did.FromDigest([32]byte{n}), wire.FrameJoin, invite.NewMembership(l, nil, "phone")))
	}
	if _, err := ask(1); err == nil || !strings.HasPrefix(err.Error(), "the invitation expired at ") || host.admitted != nil || a.Open() {
		t.Errorf("%v, admitted %q, open %v", err, host.admitted, a.Open())
	}
	proof := l.Proof()
	member := did.FromDigest([32]byte{2})
	if _, _, err := store.Use(l.ID, proof, member, "phone", l.Until.Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := store.Entered(l.ID, member); err != nil {
		t.Fatal(err)
	}
	if called, err := ask(2); err != nil || called != "phone-2" {
		t.Errorf("called %q, %v", called, err)
	}
}
