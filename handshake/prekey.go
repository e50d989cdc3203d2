package handshake

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/wire"
	"github.com/libertaria-project/l2tun/internal/x25519"
)

// A Prekey is a responder's medium-term key pair, X25519 and ML-KEM-768, signed
// by its identity. Erasing it gives forward secrecy to the identities of the
// initiators that used it. It is safe for concurrent use.
type Prekey struct {
	id      uint32
	record  wire.Prekey
	secrets atomic.Pointer[prekeySecrets] // nil once erased
}

type prekeySecrets struct {
	x   *x25519.PrivateKey
	kem *mlkem768.PrivateKey
}

// NewPrekey draws a prekey with a random id that is not zero and signs it. The
// dates, in seconds, tell initiators when to ask for a newer one; no handshake
// fails because of them. A nil rand is crypto/rand.Reader.
func NewPrekey(id *did.Identity, notBefore, notAfter time.Time, rand io.Reader) (*Prekey, error) {
	if !notBefore.Before(notAfter) {
		return nil, errPrekeySpan
	}
	c := Config{Identity: id, Rand: rand}
	p := new(Prekey)
	if err := p.drawID(c); err != nil {
		return nil, err
	}
	x, err := c.newX25519()
	if err != nil {
		return nil, err
	}
	kem, err := c.newMLKEM(p.record.Pk())
	if err != nil {
		return nil, err
	}
	copy(p.record.Px(), x.Public())
	binary.LittleEndian.PutUint64(p.record.NotBefore(), uint64(notBefore.Unix()))
	binary.LittleEndian.PutUint64(p.record.NotAfter(), uint64(notAfter.Unix()))
	copy(p.record.Signature(), id.Sign(prekeySigned(id.DID(), &p.record)))
	p.secrets.Store(&prekeySecrets{x, kem})
	return p, nil
}

func (p *Prekey) drawID(c Config) error {
	for p.id == 0 {
		if err := c.random(p.record.ID()); err != nil {
			return err
		}
		p.id = binary.LittleEndian.Uint32(p.record.ID())
	}
	return nil
}

// prekeySigned is what the signature covers: whose prekey it is and all of it.
func prekeySigned(owner did.DID, r *wire.Prekey) []byte {
	digest := owner.Digest()
	return append(append([]byte(wire.LabelSigPrekey), digest[:]...), r.Signed()...)
}

// ID is the number under which an M1 names the prekey, never 0.
func (p *Prekey) ID() uint32 { return p.id }

// Record is a copy of the signed public half, wire.PrekeySize bytes.
func (p *Prekey) Record() []byte { return append([]byte(nil), p.record[:]...) }

// Erase drops the private half. Handshakes that name the prekey from now on are
// told that it is unknown; those past their M1 are not disturbed.
func (p *Prekey) Erase() { p.secrets.Store(nil) }

// Format prints the id for every verb.
func (p *Prekey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "prekey %08x", p.id) }

// A PrekeyRecord is a peer's prekey whose signature has been verified.
type PrekeyRecord struct {
	owner did.DID
	raw   wire.Prekey
}

// parsePrekey verifies the record of a node whose key set has been checked
// against its DID. The dates are not looked at.
func parsePrekey(k *did.KeySet, raw []byte) (*PrekeyRecord, error) {
	if len(raw) != wire.PrekeySize {
		return nil, ErrMalformed
	}
	r := &PrekeyRecord{owner: k.DID(), raw: wire.Prekey(raw)}
	if !k.Verify(prekeySigned(r.owner, &r.raw), r.raw.Signature()) {
		return nil, ErrAuthentication
	}
	if r.ID() == 0 {
		return nil, ErrMalformed
	}
	return r, nil
}

// ID is the number that M1 will carry.
func (r *PrekeyRecord) ID() uint32 { return binary.LittleEndian.Uint32(r.raw.ID()) }

// NotBefore is when the peer made it, by the peer's clock.
func (r *PrekeyRecord) NotBefore() time.Time { return unixTime(r.raw.NotBefore()) }

// NotAfter is when the peer will have replaced it, by the peer's clock.
func (r *PrekeyRecord) NotAfter() time.Time { return unixTime(r.raw.NotAfter()) }

func unixTime(b []byte) time.Time { return time.Unix(int64(binary.LittleEndian.Uint64(b)), 0) }

// PeerKeys is what an initiator may keep between handshakes to save the
// KEYS_REQ. A nil Prekey means that it has to be fetched. It is read only.
type PeerKeys struct {
	KeySet *did.KeySet
	Prekey *PrekeyRecord
}

// parseKeys checks what KEYS seals against the DID that was asked for.
func parseKeys(peer did.DID, m *wire.KeysBody) (*PeerKeys, error) {
	k, err := did.ParseKeySet(m.KeySet())
	if err != nil || k.DID() != peer {
		return nil, ErrAuthentication
	}
	r, err := parsePrekey(k, m.Prekey())
	if err != nil {
		return nil, err
	}
	return &PeerKeys{k, r}, nil
}

// usable reports whether the keys are complete; it refuses another node's.
func (p *PeerKeys) usable(peer did.DID) (bool, error) {
	if p == nil || p.KeySet == nil || p.Prekey == nil {
		return false, nil
	}
	if p.Prekey.owner != peer || p.KeySet.DID() != peer {
		return false, errWrongKnown
	}
	return true, nil
}
