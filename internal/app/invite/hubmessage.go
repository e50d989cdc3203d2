package invite

import (
	"crypto/sha256"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A DepositRequest is what the inviting node asks a hub: whoever shows the proof of
// which this is a hash is to have its join passed on, until then.
type DepositRequest struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Kept    []byte `json:"kept"`  // 32 bytes: of Link.HubProof
	Until   int64  `json:"until"` // Unix seconds
}

// A ViaRequest is what the joining node asks a hub.
type ViaRequest struct {
	Version int    `json:"version"`
	Proof   []byte `json:"proof"`  // 32 bytes: Link.HubProof
	Sealed  []byte `json:"sealed"` // a Request, for the inviting node alone
}

// A HubAnswer is what a hub says to either.
type HubAnswer struct {
	Version int    `json:"version"`
	Refused Reason `json:"refused"` // empty: deposited; both have the joining node as a peer
	Sealed  []byte `json:"sealed"`  // what the inviting node has answered; nothing to a deposit
}

// Reasons of a hub, besides Unknown, Expired, Used, Already, Busy, Conflict, Failed and
// Version.
const (
	Forbidden Reason = "forbidden" // the hub does not let this node invite
	Full      Reason = "full"      // it has invited as many as the hub takes of one peer
	Away      Reason = "away"      // the inviting node has no session with the hub; nothing has changed
	Silent    Reason = "silent"    // it has not answered: it may have agreed
	// Unfinished: the inviting node has agreed, and the hub could not take the joining one
	// yet; it goes on with that.
	Unfinished Reason = "unfinished"

	Inviting Reason = "inviting" // it has refused, for the reason that is sealed
)

// NewDeposit asks a hub to pass on the join of a link.
func NewDeposit(l Link, hub did.DID) []byte {
	kept := depositOf(l.HubProof(hub))
	return encode(DepositRequest{messageVersion, l.ID, kept[:], l.Until.Unix()})
}

// depositOf is what a hub has of a proof.
func depositOf(proof [32]byte) [32]byte {
	return sha256.Sum256(append([]byte(wire.LabelInviteDeposit), proof[:]...))
}

// ParseDeposit takes what NewDeposit makes, and nothing else.
func ParseDeposit(b []byte) (DepositRequest, error) {
	var r DepositRequest
	if err := decode(b, &r); err != nil {
		return r, err
	}
	if r.Version != messageVersion || !isID(r.ID) || len(r.Kept) != 32 || r.Until <= 0 {
		return r, ErrMessage
	}
	return r, nil
}

// NewVia asks a hub to pass sealed on.
func NewVia(l Link, hub did.DID, sealed []byte) []byte {
	proof := l.HubProof(hub)
	return encode(ViaRequest{messageVersion, proof[:], sealed})
}

// ParseVia takes what NewVia makes, and nothing else.
func ParseVia(b []byte) (ViaRequest, error) {
	var r ViaRequest
	if err := decode(b, &r); err != nil {
		return r, err
	}
	if r.Version != messageVersion || len(r.Proof) != 32 || len(r.Sealed) <= saltSize || len(r.Sealed) > wire.MaxProxySealed {
		return r, ErrMessage
	}
	return r, nil
}

// NewHubAnswer says yes for "".
func NewHubAnswer(r Reason, sealed []byte) []byte {
	return encode(HubAnswer{messageVersion, r, append([]byte{}, sealed...)})
}

// ParseHubAnswer takes what NewHubAnswer makes, and nothing else.
func ParseHubAnswer(b []byte) (HubAnswer, error) {
	var a HubAnswer
	if err := decode(b, &a); err != nil {
		return a, err
	}
	if a.Version != messageVersion || len(a.Sealed) > wire.MaxProxySealed {
		return a, ErrMessage
	}
	return a, nil
}
