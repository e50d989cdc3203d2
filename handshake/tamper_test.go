package handshake

import (
	"bytes"
	"errors"
	"testing"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/internal/proto/x25519"
	"github.com/libertaria-project/l2tun/test/faults"
)

// A reader is a machine about to read one message. Every call starts from the
// same state, as if nothing had been read yet.
type reader struct {
	name string
	msg  []byte
	// read gives the message to a fresh copy; it reports whether keys or a claim
	// came out, whether the copy is erased, and the error.
	read func(msg []byte) (useful, erased bool, err error)
}

func copyOf(k *x25519.PrivateKey) *x25519.PrivateKey {
	if k == nil {
		return nil
	}
	c := *k
	return &c
}

// readers are all machines of a full handshake, each just before its message.
// Machines are copied by value: they share only what they do not write to.
func (w *world) readers() []reader {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	initiator := func(at Initiator) func([]byte) (bool, bool, error) {
		at.x = copyOf(at.x)
		return func(msg []byte) (bool, bool, error) {
			i := at
			i.s.apart()
			i.x = copyOf(at.x) // it is wiped
			out, res, err := i.Read(nil, msg)
			return res != nil || len(out) > 0 && i.want != wantKeys, i.s.isErased() && i.x == nil, err
		}
	}
	responder := func(at Responder) func([]byte) (bool, bool, error) {
		return func(msg []byte) (bool, bool, error) {
			r := at
			r.s.apart()
			out, claim, err := r.Read(nil, msg)
			return claim != nil || len(out) > wire.HandshakeHeaderSize, r.s.isErased() && r.pending == nil, err
		}
	}
	i, r := w.initiator(nil), w.responder()
	req, err := i.Start(nil)
	must(err)
	var all []reader
	fresh, readKeys := *r, initiator(*i)
	all = append(all, reader{"KEYS_REQ", req, func(msg []byte) (bool, bool, error) {
		r := fresh
		r.s.apart()
		answer, claim, err := r.Read(nil, msg)
		if err != nil || claim != nil {
			return claim != nil || len(answer) > 0, r.s.isErased(), err
		}
		return readKeys(answer) // a changed request is answered, but not for who made it
	}})
	keys, _, err := r.Read(nil, req)
	must(err)
	all = append(all, reader{"KEYS", keys, initiator(*i)})
	m1, _, err := i.Read(nil, keys)
	must(err)
	all = append(all, reader{"M1", m1, responder(*r)})
	_, _, err = r.Read(nil, m1)
	must(err)
	no := *r
	refused, err := no.Refuse(nil, RefusedBusy)
	must(err)
	readRefused := initiator(*i)
	all = append(all, reader{"REFUSED", refused, func(msg []byte) (bool, bool, error) {
		useful, erased, err := readRefused(msg)
		var r *RefusedError
		return useful || errors.As(err, &r), erased, err
	}})
	m2, _, err := r.Accept(nil, w.pb)
	must(err)
	all = append(all, reader{"M2", m2, initiator(*i)})
	m3, _, err := i.Read(nil, m2)
	must(err)
	at := *r
	all = append(all, reader{"M3", m3, func(msg []byte) (bool, bool, error) {
		r, pending := at, *at.pending
		r.s.apart()
		r.pending = &pending
		res, err := r.Finish(msg)
		return res != nil, r.s.isErased() && pending.Recv.IsZero(), err
	}})
	return all
}

func TestReadersWork(t *testing.T) {
	for _, r := range newWorld(t).readers() {
		if useful, _, err := r.read(r.msg); !useful || err != nil && r.name != "REFUSED" {
			t.Errorf("%s, unchanged: %v", r.name, err)
		}
	}
}

// SPEC "Handshake": every byte of every message counts.
func TestEveryByteCounts(t *testing.T) {
	for _, r := range newWorld(t).readers() {
		t.Run(r.name, func(t *testing.T) {
			for at := range r.msg {
				b := bytes.Clone(r.msg)
				b[at] ^= 1 << (at % 8)
				useful, erased, err := r.read(b)
				switch {
				case useful:
					t.Errorf("byte %d of %s can be changed", at, r.name)
				case !erased:
					t.Errorf("byte %d of %s changed: the machine keeps keys", at, r.name)
				case err == nil && !(r.name == "M1" && at >= 12 && at < 56):
					t.Errorf("byte %d of %s changed: no error", at, r.name)
				}
			}
		})
	}
	faults.Report(t, "H13", true, "every byte of 6 messages flipped, keys and ciphertexts included: refused")
}

// longest is 1.2 times the longest message.
const longest = wire.KeysSize * 6 / 5

// everyOtherLength gives a reader each length but the right one: malformed, nothing
// comes out, and that machine is erased. The right message to one that was in the
// same state works after it: after each length near the right one, and every 16th.
func everyOtherLength(t *testing.T, r reader) (lengths int) {
	t.Helper()
	long := append(bytes.Clone(r.msg), make([]byte, longest)...)
	for n := range longest + 1 {
		off := n - len(r.msg)
		if off == 0 {
			continue
		}
		if useful, erased, err := r.read(long[:n:n]); useful || !erased || !errors.Is(err, ErrMalformed) {
			t.Fatalf("%s of %d bytes: useful %v, erased %v, %v", r.name, n, useful, erased, err)
		}
		if lengths++; n%16 != 0 && (off < -8 || off > 8) {
			continue
		}
		if useful, _, err := r.read(r.msg); !useful || err != nil && r.name != "REFUSED" {
			t.Fatalf("%s after one of %d bytes: useful %v, %v", r.name, n, useful, err)
		}
	}
	return lengths
}

// SPEC R-5.1-1.
func TestEveryOtherLengthIsMalformed(t *testing.T) {
	lengths := 0
	all := newWorld(t).readers()
	for _, r := range all {
		lengths += everyOtherLength(t, r)
	}
	short := 0
	for _, w := range shortWorlds(t) {
		for _, r := range w.readers() {
			lengths += everyOtherLength(t, r)
			short++
		}
	}
	faults.Report(t, "H3", true, "%d messages, full, rotation and resumption, at every other length from 0 to %d, %d in all: malformed, no output, keys erased; the right one is read after it (tried after every 16th and after each within 8 bytes of its own)",
		len(all)+short, longest, lengths)
}

// A message in the place of another is an error, never a panic and never a key.
func TestEveryMessageInEveryPlace(t *testing.T) {
	all := newWorld(t).readers()
	for _, r := range all {
		for _, other := range all {
			first := r.name == "KEYS_REQ" || r.name == "M1"
			fits := r.name == other.name || first && (other.name == "M1" || other.name == "KEYS_REQ" && r.name == "KEYS_REQ") ||
				(r.name == "M2" || r.name == "REFUSED") && (other.name == "M2" || other.name == "REFUSED")
			if useful, erased, err := r.read(other.msg); !fits && (useful || !erased || err == nil) {
				t.Errorf("%s instead of %s: useful %v, erased %v, %v", other.name, r.name, useful, erased, err)
			}
		}
	}
	faults.Report(t, "H16", true, "each message in the place of each other: error, no key")
}

func FuzzReaders(f *testing.F) {
	all := newWorld(f).readers()
	for n, r := range all {
		f.Add(byte(n), r.msg)
		f.Add(byte(n), r.msg[:wire.HandshakeHeaderSize])
	}
	f.Fuzz(func(t *testing.T, n byte, msg []byte) {
		r := all[int(n)%len(all)]
		useful, erased, _ := r.read(msg)
		size, err := wire.MessageSize(msg[:min(len(msg), wire.HandshakeHeaderSize)])
		if err != nil && useful {
			t.Fatalf("%s: a message without a good header was taken", r.name)
		}
		if err != nil && size != 0 || size > wire.KeysSize {
			t.Fatalf("MessageSize = %d, %v", size, err)
		}
		for _, good := range all {
			useful = useful && !bytes.Equal(good.msg, msg)
		}
		if useful || !erased && size != len(msg) {
			t.Fatalf("%s: useful %v, erased %v", r.name, useful, erased)
		}
	})
}
