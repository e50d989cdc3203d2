package node

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/netadmin"
	"github.com/libertaria-project/l2tun/internal/app/netstore"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

// noSessions is a node that is in no session.
type noSessions struct{}

func (noSessions) Say(documents.Peer, []byte) {}
func (noSessions) Close(did.DID)              {}
func (noSessions) Fetch(context.Context, did.DID, wire.News, documents.Taker) (wire.AnswerStatus, error) {
	return 0, errors.New("no session")
}

// A link is good for one membership: a node that was removed does not come back by it, also
// where an admin has taken the removal back. A join that is repeated changes nothing.
func TestLinkIsGoodForOneMembership(t *testing.T) {
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	seed := func(n byte) []byte { s := [did.SeedSize]byte{n}; return s[:] }
	self, err := did.NewIdentity(seed(1))
	ok(err)
	recovery, err := did.NewIdentity(seed(2))
	ok(err)
	st, _, err := netadmin.Create(netadmin.Founding{Name: "home", Self: "one", Prefix: netip.MustParsePrefix("10.20.0.0/16"), Recovery: recovery.DID()}, self, time.Now())
	ok(err)
	folder := filepath.Join(t.TempDir(), "n.networks")
	ok(netstore.New(folder).Save(st))
	log := slog.New(slog.DiscardHandler)
	owner := membership.Open(membership.Config{Self: self.DID(), Folder: folder, Static: func(did.DID) bool { return false }, Changed: func() {}, Log: log, Guard: guard.New(log)})
	owner.Start(noSessions{}, []config.Network{{ID: st.ID(), Name: "home"}})
	t.Cleanup(owner.Close)
	x := networkCalls{self, &applier{networks: owner}}
	guest := did.FromDigest([32]byte{7})
	comes := func(state, called string, refused invite.Reason) {
		t.Helper()
		name, r, err := x.Admit(invite.Invitation{Network: st.ID().String()}, guest, invite.User{Name: "one", State: state})
		if name != called || r != refused || (err == nil) != (refused == "") {
			t.Errorf("called %q, refused %q (%v), want %q and %q", name, r, err, called, refused)
		}
	}
	comes(invite.Agreed, "one-2", "")
	comes(invite.Member, "one-2", "") // the answer was lost
	_, err = x.ChangeNetwork(t.Context(), control.NetworkChange{Do: control.DoRemove, Who: "one-2"})
	ok(err)
	comes(invite.Member, "", invite.Used)
	if all := gone(owner.Networks()[0].View, guest); len(all) != 1 || !strings.HasPrefix(all[0].Text, "this node was removed from it by one at 20") {
		t.Errorf("%+v", all)
	}
	ok(owner.Change(st.ID(), func(st *network.State, now time.Time) ([][]byte, error) {
		h, err := st.DraftHead(now)
		ok(err)
		h.Restored = []network.Restored{{DID: guest, At: h.Issued}}
		return [][]byte{network.Sign(h.String(), self).Append(nil)}, nil
	}))
	comes(invite.Member, "", invite.Used)
	comes(invite.Agreed, "one-2", "") // by another link
}
