package handshake

import (
	"math"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Short is what a short handshake chains from and leads to; all its messages
// carry it in their header. It is comparable.
type Short struct {
	Mode    wire.Mode // ModeRotate or ModeResume
	Epoch   uint32    // rotation: number of the next epoch, not 0
	Attempt uint32    // rotation: counts the attempts for it, at most 65535
	ID      ResumeID  // resumption: the secret, by the initiator's Resume.ID
}

// Rotation is a short handshake to epoch, chained from Result.Rekey of the epoch
// in use.
func Rotation(epoch, attempt uint32) Short {
	return Short{Mode: wire.ModeRotate, Epoch: epoch, Attempt: attempt}
}

// Resumption is a short handshake chained from a resumption secret.
func Resumption(id ResumeID) Short { return Short{Mode: wire.ModeResume, ID: id} }

// ParseShort says what a message of short mode (M1r, M2r, M3r, UNKNOWN) belongs
// to, so that late copies are told apart before a machine reads them. It checks
// form and size only.
func ParseShort(msg []byte) (wire.MessageType, Short, error) {
	h, err := parse(msg)
	if err != nil {
		return 0, Short{}, err
	}
	switch h.Mode {
	case wire.ModeRotate:
		return h.Type, Rotation(h.Ref.High, uint32(h.Ref.Low)), nil
	case wire.ModeResume:
		return h.Type, Resumption(h.Ref.ID()), nil
	}
	return 0, Short{}, ErrUnexpected
}

func (what Short) ref() wire.Ref {
	if what.Mode == wire.ModeResume {
		return what.ID.Ref()
	}
	return wire.Ref{Low: uint16(what.Attempt), High: what.Epoch}
}

func (what Short) check() error {
	switch {
	case what.Mode == wire.ModeResume && what == Resumption(what.ID):
		return nil
	case what == Rotation(what.Epoch, what.Attempt) && what.Epoch != 0 && what.Attempt <= math.MaxUint16:
		return nil
	}
	return errShort
}

// epochFits: a rotation names its epoch in clear and both ends' parameters
// repeat it; a resumption's is the responder's choice, not below the claim's.
func (what Short) epochFits(claimed, chosen uint32) bool {
	if what.Mode == wire.ModeRotate {
		return chosen == what.Epoch
	}
	return chosen >= claimed
}

// header starts a message that belongs to what.
func (what Short) header(t wire.MessageType, b []byte) {
	wire.HandshakeHeader{Type: t, Mode: what.Mode, Ref: what.ref()}.Put(b)
}

// A shortState is what both ends of a short handshake hold.
type shortState struct {
	conf Config
	what Short
	peer *did.KeySet
	want want
	s    schedule
}

// start begins the schedule of short mode, the identities in role order (SPEC
// "Short mode"):
//
//	mixHash(version || suite || mode || didI || didR)  mixKey("psk", secret, didI || didR)
func (st *shortState) start(initiator, responder did.DID, secret Key) {
	st.s = newSchedule(wire.NameShort)
	i, r := initiator.Digest(), responder.Digest()
	prologue := append([]byte{wire.HandshakeVersion}, le16(wire.Suite)...)
	prologue = append(append(prologue, byte(st.what.Mode)), i[:]...)
	st.s.mixHash(append(prologue, r[:]...))
	st.s.mixKey(wire.MixPSK, secret[:], i[:], r[:])
}

// bind mixes the connection in front of M2r. A rotation has none: it goes on
// over whatever path answers.
func (st *shortState) bind() {
	b := st.conf.Binding
	if st.what.Mode == wire.ModeRotate {
		b = Binding{}
	}
	st.s.mixHash(b.append(nil))
}

// Bind replaces Config.Binding. Go has no early exporter, so an M1r that leaves
// in QUIC 0-RTT is bound by what is set before M2r is made or read.
func (st *shortState) Bind(b Binding) { st.conf.Binding = b }

// What is the handshake's place in the session.
func (st *shortState) What() Short { return st.what }

// expect checks a message against the handshake it is given to.
func (st *shortState) expect(msg []byte) (wire.MessageType, error) {
	t, what, err := ParseShort(msg)
	if err == nil && what != st.what {
		err = ErrUnexpected
	}
	return t, err
}

// m3r seals the flags; either end can compute it. The proof is the key.
func (st *shortState) m3r() []byte {
	m := new(wire.M3r)
	st.what.header(wire.MsgM3r, m[:])
	st.s.mixHash(m.Head())
	st.s.seal(m.Sealed()[:0], wire.LabelM3r, finishFlags())
	return m[:]
}
