package node

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
)

// A peer that a network has removed, and whose session began while a config was applied that
// names it, stays a peer once that is in use; who is none is closed.
func TestPeersInUseAreNotClosed(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.hosts[0], w.hosts[1]
		w.join(a, b, "bob")
		x := members{&applier{manager: a.m}}
		x.use.config.Store(&config.Config{Peers: []config.Peer{{DID: b.id.DID()}}})
		x.Close(b.id.DID())
		if !x.use.configured(b.id.DID()) {
			w.Error("a peer of the config in use has no session")
		}
		x.use.config.Store(new(config.Config))
		if x.Close(b.id.DID()); x.use.configured(b.id.DID()) {
			w.Error("a removed member has a session")
		}
	})
}
