package join

import (
	"encoding/hex"
	"errors"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/invite"
)

// Passed decides about a join that a hub of this node has passed on, and returns the
// sealed answer to it. An empty one: there is no such invitation, or what the hub
// brings was not sealed by a node that has the link, for this hub and this joining node.
func (a *Admission) Passed(hub, joining [32]byte, id [4]byte, sealed []byte) (agreed bool, answer []byte) {
	who, through := did.FromDigest(joining), did.FromDigest(hub)
	log := a.Log.With("peer", who.String(), "through", through.String())
	secret, err := a.Store.Find(hex.EncodeToString(id[:]), a.Identity)
	if err != nil {
		if !errors.Is(err, invite.ErrUnknown) {
			log.Error("invitations cannot be read", "error", err)
		}
		log.Warn("a hub brought a join by an invitation that is not here")
		return false, nil
	}
	t := invite.Through{Joining: who, Inviting: a.Identity.DID(), Hub: through}
	request, err := t.OpenRequest(secret, sealed)
	if err != nil {
		log.Warn("a hub brought a join that does not open: it was altered, or is not for this hub and this node")
		return false, nil
	}
	agreed, answer = a.decide(log, who, request)
	return agreed, t.SealAnswer(secret, sealed, answer)
}
