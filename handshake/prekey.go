package handshake

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
)

// A Prekey is a responder's medium-term key pair, X25519 and ML-KEM-768, signed
// by its identity. Erasing it gives forward secrecy to the identities of the
// initiators that used it. It is safe for concurrent use.
type Prekey struct {
	id     uint32
	record wire.Prekey
	mldsa  []byte // ML-DSA-65 signature

	mu     sync.Mutex // guards what follows
	x      *x25519.PrivateKey
	kem    [mlkem768.KeySeedSize]byte // expanded for each use: a seed can be cleared
	erased bool
}

// NewPrekey draws a prekey with a random id that is not zero and signs it twice.
// Initiators refuse it PrekeySlack after notAfter, by clocks that are known to be
// right; two zero times make a prekey without dates. A nil rand is
// crypto/rand.Reader.
func NewPrekey(id *did.Identity, notBefore, notAfter time.Time, rand io.Reader) (*Prekey, error) {
	dated := !notBefore.IsZero() || !notAfter.IsZero()
	if dated && !notBefore.Before(notAfter) {
		return nil, errPrekeySpan
	}
	c := Config{Identity: id, Rand: rand}
	p := new(Prekey)
	if err := p.draw(c); err != nil {
		return nil, err
	}
	if dated {
		binary.LittleEndian.PutUint64(p.record.NotBefore(), uint64(notBefore.Unix()))
		binary.LittleEndian.PutUint64(p.record.NotAfter(), uint64(notAfter.Unix()))
	}
	copy(p.record.Signature(), id.Sign(prekeySigned(wire.LabelSigPrekey, id.DID(), &p.record)))
	p.mldsa = id.SignMLDSA(prekeySigned(wire.LabelSigPrekeyMLDSA, id.DID(), &p.record))
	return p, nil
}

// draw makes id and keys.
func (p *Prekey) draw(c Config) (err error) {
	if err = p.drawID(c); err != nil {
		return err
	}
	if p.x, err = c.newX25519(); err != nil {
		return err
	}
	if err = c.random(p.kem[:]); err != nil {
		return err
	}
	public, _ := mlkem768.NewKeyFromSeed(p.kem[:])
	public.Pack(p.record.Pk())
	copy(p.record.Px(), p.x.Public())
	return nil
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

// prekeySigned is what a signature covers: whose prekey it is and all of it.
func prekeySigned(label string, owner did.DID, r *wire.Prekey) []byte {
	digest := owner.Digest()
	return append(append([]byte(label), digest[:]...), r.Signed()...)
}

// ID is the number under which an M1 names the prekey, never 0.
func (p *Prekey) ID() uint32 { return p.id }

// appendTo appends what KEYS says of the prekey: the record, the node's ML-DSA-65
// key and its signature.
func (p *Prekey) appendTo(b []byte, id *did.Identity) []byte {
	b = append(b, p.record[:]...)
	return append(append(b, id.MLDSAKey()...), p.mldsa...)
}

// Erase clears the private half. Handshakes that name the prekey from now on get
// UNKNOWN_PREKEY; those past their M1 are not disturbed.
func (p *Prekey) Erase() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.x.Erase()
	clear(p.kem[:])
	p.erased = true
}

// prekeySecrets are a copy for one M1, so that Erase waits for nobody.
type prekeySecrets struct {
	x   *x25519.PrivateKey
	kem *mlkem768.PrivateKey
}

// secrets is nil once the prekey has been erased.
func (p *Prekey) secrets() *prekeySecrets {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.erased {
		return nil
	}
	x := *p.x
	_, kem := mlkem768.NewKeyFromSeed(p.kem[:])
	return &prekeySecrets{&x, kem}
}

// Format prints the id for every verb.
func (p *Prekey) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "prekey %08x", p.id) }

// A PrekeyRecord is a peer's prekey whose two signatures have been verified.
type PrekeyRecord struct {
	owner did.DID
	raw   wire.Prekey
}

// parsePrekey verifies what KEYS seals of the prekey of a node whose key set has been
// checked against its DID: both signatures, then the dates, unless now is zero.
func parsePrekey(k *did.KeySet, m *wire.KeysBody, now time.Time) (*PrekeyRecord, error) {
	r := &PrekeyRecord{owner: k.DID(), raw: wire.Prekey(m.Prekey())}
	if !k.Verify(prekeySigned(wire.LabelSigPrekey, r.owner, &r.raw), r.raw.Signature()) ||
		!k.VerifyMLDSA(m.MLDSAKey(), prekeySigned(wire.LabelSigPrekeyMLDSA, r.owner, &r.raw), m.MLDSASig()) {
		return nil, ErrAuthentication
	}
	if r.overdue(now) {
		return nil, ErrOldPrekey
	}
	if r.ID() == 0 {
		return nil, ErrMalformed
	}
	return r, nil
}

// ID is the number that M1 will carry.
func (r *PrekeyRecord) ID() uint32 { return binary.LittleEndian.Uint32(r.raw.ID()) }

// PrekeySlack is how far the clocks of two nodes may differ.
const PrekeySlack = 24 * time.Hour

// overdue reports whether the peer must have erased the private half, had it kept
// to its dates. A record without dates is never overdue, nor is anything at the
// zero time: no clock that may be wrong fails a handshake (SPEC 5.1, ADR-024).
func (r *PrekeyRecord) overdue(now time.Time) bool {
	notAfter := binary.LittleEndian.Uint64(r.raw.NotAfter())
	if now.IsZero() || notAfter == 0 {
		return false
	}
	limit := now.Add(-PrekeySlack).Unix()
	return limit > 0 && notAfter < uint64(limit)
}

// PeerKeys is what an initiator may keep between handshakes to save the
// KEYS_REQ. A nil Prekey means that it has to be fetched. It is read only.
type PeerKeys struct {
	KeySet *did.KeySet
	Prekey *PrekeyRecord
}

// ParsePeerKeys reads what Initiator.Fetched was in an earlier handshake with peer, with
// all checks that are made of what a peer sends. It keeps no part of fetched.
func ParsePeerKeys(peer did.DID, fetched []byte, now time.Time) (*PeerKeys, error) {
	if len(fetched) != wire.KeysBodySize {
		return nil, ErrMalformed
	}
	return parseKeys(peer, (*wire.KeysBody)(fetched), now)
}

// parseKeys checks what KEYS seals against the DID that was asked for.
func parseKeys(peer did.DID, m *wire.KeysBody, now time.Time) (*PeerKeys, error) {
	k, err := did.ParseKeySet(m.KeySet())
	if err != nil || k.DID() != peer {
		return nil, ErrAuthentication
	}
	r, err := parsePrekey(k, m, now)
	if err != nil {
		return nil, err
	}
	return &PeerKeys{k, r}, nil
}

// usable reports whether the keys are complete and not overdue; it refuses
// another node's.
func (p *PeerKeys) usable(peer did.DID, now time.Time) (bool, error) {
	if p == nil || p.KeySet == nil || p.Prekey == nil {
		return false, nil
	}
	if p.Prekey.owner != peer || p.KeySet.DID() != peer {
		return false, errWrongKnown
	}
	return !p.Prekey.overdue(now), nil
}
