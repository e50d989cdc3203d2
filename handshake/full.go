package handshake

import (
	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// startFull begins the schedule of full mode. didR commits to all keys of the
// responder (SPEC "Full mode", prologue):
//
//	mixHash(version || suite || mode || binding || didR)
func startFull(b Binding, responder did.DID) schedule {
	s := newSchedule(wire.NameFull)
	digest := responder.Digest()
	prologue := append([]byte{wire.HandshakeVersion}, le16(wire.Suite)...)
	prologue = b.append(append(prologue, byte(wire.ModeFull)))
	s.mixHash(append(prologue, digest[:]...))
	return s
}

// mixDID hashes who the initiator is, once its key set has been sealed.
func mixDID(s *schedule, d did.DID) {
	digest := d.Digest()
	s.mixHash(digest[:])
}

// m2PlainSize is the size of what M2 seals: sigR and the parameters.
const m2PlainSize = wire.Ed25519SigSize + wire.ParamsSize

// finishFlags is what M3 and M3r seal beside the proof: bits for later versions.
func finishFlags() []byte { return make([]byte, wire.FinishFlagsSize) }

func checkFinishFlags(b []byte) error {
	for _, v := range b {
		if v != 0 {
			return ErrMalformed
		}
	}
	return nil
}
