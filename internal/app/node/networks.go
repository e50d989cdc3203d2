package node

import (
	"context"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// members are the sessions of a node, as its networks see them.
type members struct{ use *applier }

var _ membership.Sessions = members{}

// Say implements membership.Sessions.
func (x members) Say(to documents.Peer, frame []byte) { x.use.manager.SendFrame(to, frame) }

// Fetch implements membership.Sessions.
func (x members) Fetch(ctx context.Context, peer did.DID, asked wire.News, to documents.Taker) (wire.AnswerStatus, error) {
	return x.use.manager.Fetch(ctx, peer, asked, to)
}

// Close implements membership.Sessions. The applier has taken the peer out by now, unless it
// was none of its, or a config that is just being applied names it: who is a peer of what is
// in use stays one, for nothing would bring it back.
func (x members) Close(peer did.DID) {
	x.use.mu.Lock()
	defer x.use.mu.Unlock()
	if c := x.use.config.Load(); c != nil && c.Peer(peer) != nil {
		return
	}
	_ = x.use.manager.Remove(peer)
}
