package handshake

import (
	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Result is what a handshake agreed on. The caller owns it and erases it.
//
// The pending one that a responder's Accept returns has the record keys, so that
// Recv can be installed before M2 leaves; its Rekey and resumption secrets are
// zero, and nothing may be sent under Send, until Finish has returned the whole.
type Result struct {
	Peer          did.DID
	PeerKeys      *PeerKeys // for the next full handshake; Prekey nil at a responder and in short mode
	Initiator     bool      // this end made M1 or M1r
	Local, Remote wire.Params
	Epoch         uint32 // the number both ends use, from the responder's parameters
	Cipher        wire.Cipher
	Send, Recv    Key    // record keys
	Rekey         Key    // chains the next rotation, from either end
	ResumeOut     Resume // for a resumption that this end starts
	ResumeIn      Resume // for a resumption that the peer starts
}

// Erase clears all secrets.
func (r *Result) Erase() {
	for _, k := range []*Key{&r.Send, &r.Recv, &r.Rekey, &r.ResumeOut.Secret, &r.ResumeIn.Secret} {
		clear(k[:])
	}
}

// takeDataKeys sets the record keys from h2, the transcript up to M2 or M2r.
func (r *Result) takeDataKeys(s *schedule) {
	r.Send, r.Recv = s.key(wire.LabelDataI2R), s.key(wire.LabelDataR2I)
	if !r.Initiator {
		r.Send, r.Recv = r.Recv, r.Send
	}
}

// takeSecrets sets what later handshakes start from, from h3, the transcript up
// to M3 or M3r. The two resumption secrets have a direction each, so that a
// reflected M1r names a secret that its maker does not answer.
func (r *Result) takeSecrets(s *schedule) {
	r.Rekey = s.key(wire.LabelRekey)
	r.ResumeOut = takeResume(s, wire.LabelResumeI2R, wire.LabelResumeIDI2R)
	r.ResumeIn = takeResume(s, wire.LabelResumeR2I, wire.LabelResumeIDR2I)
	if !r.Initiator {
		r.ResumeOut, r.ResumeIn = r.ResumeIn, r.ResumeOut
	}
}

func takeResume(s *schedule, secret, id string) Resume {
	k := s.key(id)
	return Resume{ID: ResumeID(k[:]), Secret: s.key(secret)}
}

// newResult fills what does not depend on the mode. initiator says which of the
// two parameters decides the epoch.
func newResult(peer did.DID, keys *PeerKeys, initiator bool, local, remote wire.Params) *Result {
	r := &Result{Peer: peer, PeerKeys: keys, Initiator: initiator, Local: local, Remote: remote}
	r.Epoch = local.Epoch
	if initiator {
		r.Epoch = remote.Epoch
	}
	r.Cipher = wire.ChooseCipher(local.AES, remote.AES)
	return r
}

// checkParams refuses local parameters that the peer could not parse.
func checkParams(p wire.Params) error {
	if _, err := wire.ParseParams(p.Append(nil)); err != nil {
		return errParams
	}
	return nil
}

func parseParams(b []byte) (wire.Params, error) {
	p, err := wire.ParseParams(b)
	if err != nil {
		return wire.Params{}, ErrMalformed
	}
	return p, nil
}

// parse checks a whole message: header, and exactly the size of its type.
func parse(msg []byte) (wire.HandshakeHeader, error) {
	h, err := wire.ParseHandshakeHeader(msg)
	if err != nil || len(msg) != h.Type.Size() {
		return wire.HandshakeHeader{}, ErrMalformed
	}
	return h, nil
}

// bare is a message that is a header only.
func bare(t wire.MessageType, m wire.Mode, l wire.Ref) []byte {
	b := make([]byte, wire.HandshakeHeaderSize)
	wire.HandshakeHeader{Type: t, Mode: m, Ref: l}.Put(b)
	return b
}
