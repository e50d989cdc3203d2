package node

import (
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// startHub makes this node's side as a hub. It is there whatever the config says: a
// reload may switch it on. Nothing comes to it before there are sessions.
func (n *node) startHub(c *config.Config) {
	n.use.hub = hub.New(hub.Config{
		Mode: c.Relay, Rate: c.RelayRate, Total: c.RelayTotal,
		Labels: n.use.data,
		Draw:   func() relay.Label { return n.use.manager.DrawLabel() },
		Send:   func(to relay.DID, frame []byte) bool { return n.use.manager.SendFrame(to, frame) },
		AtHome: func(peer relay.DID, at bool) { n.use.manager.AtHome(peer, at) },
		Guard:  guard.New(n.log),
	})
	n.defers(n.use.hub.Close)
}

// relaying is what this node does as a hub.
func (r *reporter) relaying() control.Relaying {
	s := r.use.hub.Status()
	shown := control.Relaying{Mode: s.Mode.String(), Circuits: s.Circuits, RxBytes: s.Received.Bytes, TxBytes: s.Sent.Bytes}
	for _, d := range s.Dropped {
		shown.Dropped += d.Datagrams
	}
	return shown
}
