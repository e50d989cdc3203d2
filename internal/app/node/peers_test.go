package node

import (
	"testing"

	"github.com/libertaria-project/l2tun/session"
)

func TestPeersAreFoundByDIDAndName(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		a := w.hosts[0]
		bob, nameless := a.add(w.hosts[1], "bob", false, session.Settings{}), a.add(w.hosts[2], "", false, session.Settings{})
		for who, want := range map[string]*session.Session{"bob": bob, "BOB.l2": bob, bob.DID().String(): bob, nameless.DID().String(): nameless} {
			if s, err := sessionWith(a.m, who); s != want {
				w.Error(who, err)
			}
		}
		for _, who := range []string{"Bob", "eve.l2", ".l2", "did:morpheus:z", a.id.DID().String(), " bob"} {
			_, err := sessions(a.m, who)
			w.wantRefused(err, 404, `there is no peer "`+who+`" (DID, name or overlay address); l2tun status lists the peers`)
		}
		if _, err := sessionWith(a.m, ""); err == nil {
			w.Error("an empty name found the peer without a name")
		}
		if all, err := sessions(a.m, ""); len(all) != 2 {
			w.Error(all, err)
		}
		if called(bob) != "bob" || called(nameless) != nameless.DID().Short() {
			w.Error(called(bob), called(nameless))
		}
	})
}
