package node

import (
	"context"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/app/join"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/hub"
	"github.com/libertaria-project/l2tun/internal/net/joinproxy"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/session"
)

// hubSide is this node as a hub, and as one end of joins that pass hubs.
type hubSide struct {
	*hub.Hub
	proxy *joinproxy.Proxy
}

// Frame implements session.Relay.
func (s hubSide) Frame(from relay.DID, frame []byte) bool {
	return s.proxy.Frame(joinproxy.DID(from), frame) || s.Hub.Frame(from, frame)
}

// startJoins makes what answers joins, direct ones and those through hubs. The first may
// come before the manager is known: then nobody is connected.
func (n *node) startJoins(m *atomic.Pointer[session.Manager]) (*join.Admission, session.Relay) {
	a := &join.Admission{Path: n.o.ConfigPath, Store: invite.NewStore(n.o.ConfigPath), Host: n.changes, Log: n.log, Identity: n.id, Networks: networkCalls{n.id, n.use}}
	proxy := joinproxy.New(joinproxy.Config{
		Send:   func(to joinproxy.DID, frame []byte) bool { return m.Load().SendFrame(to, frame) }, // to who is here
		Here:   func(peer joinproxy.DID) bool { return established(m.Load(), peer) },
		IsHub:  func(peer joinproxy.DID) bool { return isHub(n.use.config.Load(), peer) },
		Decide: a.Passed,
		Guard:  guard.New(n.log),
	})
	a.Hub = join.NewProxying(a, invite.NewDeposits(n.o.ConfigPath), proxy.Ask)
	n.joins = a.Hub
	n.defers(proxy.Close)
	return a, hubSide{n.use.hub, proxy}
}

// settleJoins goes on with joins that an earlier process has passed on as a hub, once the
// config is in use that they are to change.
func (n *node) settleJoins() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.joins.Run(ctx)
	}()
	n.defers(func() {
		cancel()
		<-done
	})
}

// established reports whether there is a session with a peer now; m may be nil.
func established(m *session.Manager, peer joinproxy.DID) bool {
	if m == nil {
		return false
	}
	s, err := m.Session(did.FromDigest(peer))
	if err != nil {
		return false
	}
	state := s.State()
	return state == session.Established || state == session.Rotating || state == session.Degraded
}

// isHub reports whether the config in use names a peer as a hub of this node.
func isHub(c *config.Config, peer joinproxy.DID) bool {
	if c == nil {
		return false
	}
	p := c.Peer(did.FromDigest(peer))
	return p != nil && p.Hub
}
