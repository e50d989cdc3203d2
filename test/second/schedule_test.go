package second

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/zeebo/blake3"
	"golang.org/x/crypto/chacha20poly1305"
)

// What a message may be refused for. The SPEC's errors, without their sessions.
var (
	errForm  = errors.New("second: malformed")
	errOpen  = errors.New("second: does not open")
	errProof = errors.New("second: wrong proof")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic("second: " + err.Error())
	}
	return v
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func le16(n int) []byte    { return binary.LittleEndian.AppendUint16(nil, uint16(n)) }
func le32(n int) []byte    { return binary.LittleEndian.AppendUint32(nil, uint32(n)) }
func le64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func hash(parts ...[]byte) []byte {
	sum := blake3.Sum256(join(parts...))
	return sum[:]
}

// A schedule is the state of SPEC 5.1 "Key schedule", and what it went through.
type schedule struct {
	ck, root, h []byte
	steps       []step
	keys        []namedKey
}

// A step is the state after one line of the SPEC.
type step struct {
	Step string   `json:"step"`
	H    hexBytes `json:"h"`
	CK   hexBytes `json:"ck"`
	Root hexBytes `json:"root"`
}

type namedKey struct {
	Label string   `json:"label"`
	Key   hexBytes `json:"key"`
}

func begin(name string) *schedule {
	n := hash([]byte(name))
	s := &schedule{ck: n, root: n, h: n}
	s.note("name")
	return s
}

func (s *schedule) note(what string) {
	s.steps = append(s.steps, step{what, s.h, s.ck, s.root})
}

// fork is the same state going another way; what it goes through is not noted.
func (s *schedule) fork() *schedule { return &schedule{ck: s.ck, root: s.root, h: s.h} }

func (s *schedule) mixHash(what string, x ...[]byte) {
	all := join(x...)
	s.h = hash(s.h, le32(len(all)), all)
	s.note("hash " + what)
}

func (s *schedule) mixKey(label string, secret []byte, public ...[]byte) {
	ikm := join(le16(len(label)), []byte(label), le16(len(secret)), secret, hash(public...))
	prk := must(hkdf.Extract(sha256.New, ikm, s.ck))
	s.ck = must(hkdf.Expand(sha256.New, prk, "l2tun/1 ck", 32))
	s.root = must(hkdf.Expand(sha256.New, prk, "l2tun/1 root", 32))
	s.note("key " + label)
}

func (s *schedule) key(label string) []byte {
	k := must(hkdf.Expand(sha256.New, s.root, "l2tun/1 "+label+string(s.h), 32))
	s.keys = append(s.keys, namedKey{label, k})
	return k
}

func (s *schedule) seal(label string, plain ...[]byte) []byte {
	aead := must(chacha20poly1305.New(s.key(label)))
	c := aead.Seal(nil, make([]byte, 12), join(plain...), s.h)
	s.mixHash("sealed "+label, c)
	return c
}

func (s *schedule) open(label string, c []byte) ([]byte, error) {
	aead := must(chacha20poly1305.New(s.key(label)))
	p, err := aead.Open(nil, make([]byte, 12), c, s.h)
	if err != nil {
		return nil, errOpen
	}
	s.mixHash("sealed "+label, c)
	return p, nil
}

// secrets are what both ends have after a handshake.
type secrets struct {
	dataI2R, dataR2I         []byte
	rekey                    []byte
	resumeI2R, resumeR2I     []byte
	resumeIDI2R, resumeIDR2I []byte
	paramsI, paramsR         []byte
}

// record takes the keys that exist once M2 or M2r is sealed.
func (s *schedule) record(to *secrets) {
	to.dataI2R, to.dataR2I = s.key("data i2r"), s.key("data r2i")
}

// end takes the secrets that exist once M3 or M3r is sealed.
func (s *schedule) end(to *secrets) {
	to.rekey = s.key("rekey")
	to.resumeI2R, to.resumeR2I = s.key("resume i2r"), s.key("resume r2i")
	to.resumeIDI2R, to.resumeIDR2I = s.key("resume id i2r")[:6], s.key("resume id r2i")[:6]
}
