package handshake

import (
	"bytes"
	"io"
	"testing"
	"time"

	"lukechampine.com/blake3"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// stream is an endless random source that a name determines.
func stream(name string) io.Reader {
	h := blake3.New(32, nil)
	io.WriteString(h, name)
	return h.XOF()
}

func seedOf(name string) []byte {
	seed := make([]byte, did.SeedSize)
	io.ReadFull(stream("identity "+name), seed)
	return seed
}

func identity(t testing.TB, name string) *did.Identity {
	t.Helper()
	id, err := did.NewIdentity(seedOf(name))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// store is a PrekeyStore over a slice, the first being current.
type store []*Prekey

func (s store) Current() *Prekey { return s[0] }
func (s store) ByID(id uint32) *Prekey {
	for _, p := range s {
		if p.ID() == id {
			return p
		}
	}
	return nil
}

var (
	prekeyFrom = time.Unix(1_790_000_000, 0)
	prekeyTo   = prekeyFrom.Add(24 * time.Hour)
)

func prekey(t testing.TB, id *did.Identity, name string) *Prekey {
	t.Helper()
	p, err := NewPrekey(id, prekeyFrom, prekeyTo, stream("prekey "+name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// world is two nodes; every machine it makes draws the same random numbers.
type world struct {
	t       testing.TB
	a, b    *did.Identity
	prekeys store // of b
	binding Binding
	pa, pb  wire.Params
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, a: identity(t, "a"), b: identity(t, "b")}
	w.prekeys = store{prekey(t, w.b, "b")}
	w.binding = Binding{Kind: 1, Value: blake3.Sum256([]byte("exporter"))}
	w.pa = wire.Params{RecordID: wire.MakeRecordID([7]byte{1, 2, 3}), AES: true, AcceptsPartial: true, MTU: 1420, Epoch: 1, Incarnation: 11}
	w.pb = wire.Params{RecordID: wire.MakeRecordID([7]byte{4, 5, 6}), AES: true, MTU: 1400, Epoch: 3, Incarnation: 22}
	return w
}

func (w *world) initiator(known *PeerKeys) *Initiator {
	w.t.Helper()
	i, err := NewInitiator(Config{Identity: w.a, Binding: w.binding, Rand: stream("initiator")}, w.b.DID(), known, w.pa)
	if err != nil {
		w.t.Fatal(err)
	}
	return i
}

func (w *world) responder() *Responder {
	return NewResponder(Config{Identity: w.b, Binding: w.binding, Rand: stream("responder")}, w.prekeys)
}

// known is what a has cached about b.
func (w *world) known() *PeerKeys {
	w.t.Helper()
	known, err := parseKeys(w.b.DID(), keysMessage(w.b.KeySet(), w.prekeys[0], w.b), time.Time{})
	if err != nil {
		w.t.Fatal(err)
	}
	return known
}

// keysMessage is what KEYS seals, with the key set of one, a prekey, and the ML-DSA key of who
// signed it.
func keysMessage(k *did.KeySet, p *Prekey, signer *did.Identity) *wire.KeysBody {
	return (*wire.KeysBody)(p.appendTo(k.Append(nil), signer))
}

// script is all messages of one handshake and both results.
type script struct {
	keysReq, keys, m1, m2, m3 []byte
	claim                     *Claim
	pending, atI, atR         *Result
}

// run makes a handshake from first contact and fails the test on any error.
func (w *world) run() script {
	w.t.Helper()
	var sc script
	i, r := w.initiator(nil), w.responder()
	var err error
	check := func() {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	sc.keysReq, err = i.Start(nil)
	check()
	sc.keys, _, err = r.Read(nil, sc.keysReq)
	check()
	sc.m1, _, err = i.Read(nil, sc.keys)
	check()
	_, sc.claim, err = r.Read(nil, sc.m1)
	check()
	sc.m2, sc.pending, err = r.Accept(nil, w.pb)
	check()
	sc.m3, sc.atI, err = i.Read(nil, sc.m2)
	check()
	sc.atR, err = r.Finish(sc.m3)
	check()
	return sc
}

// apart gives the schedule of a copied machine a hasher of its own: copies run side
// by side.
func (s *schedule) apart() {
	if s.hash != nil {
		s.hash = blake3.New(len(s.h), nil)
	}
}

// isErased fails the test if a machine still holds a schedule.
func (s *schedule) isErased() bool { return *s == schedule{} }

func flip(b []byte, at int) []byte {
	c := bytes.Clone(b)
	c[at] ^= 1
	return c
}
