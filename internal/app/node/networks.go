package node

import (
	"context"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
)

// members are the sessions of a node, as its networks see them.
type members struct{ m *session.Manager }

var _ membership.Sessions = members{}

// Say implements membership.Sessions.
func (x members) Say(to documents.Peer, frame []byte) { x.m.SendFrame(to, frame) }

// Fetch implements membership.Sessions.
func (x members) Fetch(ctx context.Context, peer did.DID, asked wire.News, to documents.Taker) (wire.AnswerStatus, error) {
	return x.m.Fetch(ctx, peer, asked, to)
}

// Close implements membership.Sessions. The applier has taken the peer out by now, unless it
// met it in between.
func (x members) Close(peer did.DID) { _ = x.m.Remove(peer) }
