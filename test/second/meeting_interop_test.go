package second

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// product is what package wire reads in b, in the words of the second
// implementation, and what it writes for it.
func product(b []byte) (f frame, back []byte, ok bool) {
	if len(b) == 0 {
		return f, nil, false
	}
	f.Type = b[0]
	switch b[0] {
	case wire.FrameMeet, wire.FrameMet:
		m, ok := wire.ParseMeet(b)
		f.ID, f.Digest, f.Label, f.Flags = m.ID, m.Other[:], m.Label[:], m.Flags
		f.RTT, f.Candidates, f.Sealed = uint16(m.RTT/time.Millisecond), places(m.Candidates), m.Sealed
		return f, m.Append(nil), ok && m.Met == (b[0] == frameMet)
	case wire.FrameReady:
		r, ok := wire.ParseReady(b)
		f.ID, f.Digest = r.ID, r.Caller[:]
		return f, r.Append(nil), ok
	case wire.FrameNotMet:
		n, ok := wire.ParseNotMet(b)
		f.ID, f.Digest, f.Reason = n.ID, n.Caller[:], byte(n.Reason)
		return f, n.Append(nil), ok
	case wire.FrameCandidates:
		c, ok := wire.ParseCandidates(b)
		f.Candidates = places(c)
		return f, c.Append(nil), ok
	case wire.FrameHome:
		h, ok := wire.ParseHome(b)
		f.Lifetime, f.Circuits = uint16(h.Lifetime/time.Second), homeQuestion
		if h.Answer {
			f.Circuits = uint16(h.Circuits)
		}
		return f, h.Append(nil), ok
	case wire.FrameSleep:
		s, ok := wire.ParseSleep(b)
		f.Step, f.How = byte(s.Step), byte(s.How)
		return f, s.Append(nil), ok
	}
	return frame{}, nil, false
}

func places(c wire.Candidates) (all []place) {
	for _, x := range c.All() {
		a := x.Addr.Addr().As16()
		all = append(all, place{a[:], x.Addr.Port(), byte(x.Kind)})
	}
	return all
}

// legsAgree fails unless both take the same of b for what it says of a leg.
func legsAgree(t *testing.T, b []byte) (says bool) {
	t.Helper()
	m, _ := wire.ParseMeet(b)
	out, ours := m.Labels()
	f, ok := readFrame(b)
	receives, sends, theirs := f.said()
	theirs = theirs && ok
	if ours != theirs || ours && (!bytes.Equal(m.Label[:], receives) || !bytes.Equal(out[:], sends)) {
		t.Fatalf("%x says %x and %x here, %v, and %x and %x, %v", b, m.Label, out, ours, receives, sends, theirs)
	}
	return ours
}

// agreed fails unless both take b for the same frame and write it as it was, or
// both refuse it.
func agreed(t *testing.T, b []byte) (taken bool) {
	t.Helper()
	ours, back, ok := product(b)
	theirs, taken := readFrame(b)
	if ok != taken {
		t.Fatalf("%x is taken: %v here, %v in the second implementation", b, ok, taken)
	}
	if ok && (!bytes.Equal(toJSON(t, ours), toJSON(t, theirs)) || !bytes.Equal(back, b) || !bytes.Equal(theirs.bytes(), b)) {
		t.Fatalf("%x is %+v here and written as %x, %+v in the second implementation", b, ours, back, theirs)
	}
	return taken
}

// circuitAgreed is agreed for circuit datagrams.
func circuitAgreed(t *testing.T, b []byte) {
	t.Helper()
	label, datagram, taken := readCircuit(b)
	id, inside, ok := wire.CutCircuit(b)
	if ok != taken || !bytes.Equal(inside, datagram) || ok && !bytes.Equal(id[:], label) {
		t.Fatalf("%x is %x with %x here, %v, and %x with %x, %v", b, id, inside, ok, label, datagram, taken)
	}
	if ok && !bytes.Equal(wire.AppendCircuit(nil, id, inside), b) {
		t.Fatalf("%x is not written as it was", b)
	}
}

// The vectors, each of their bytes changed, and each of their lengths: package wire
// and the second implementation take the same of them, for the same.
// SPEC R-6.13-2, R-6.13-3.
func TestMeetingFramesAgree(t *testing.T) {
	all := refusedFrames()
	for _, v := range meetingFrames() {
		if !agreed(t, v.Bytes) {
			t.Errorf("%s is refused", v.Name)
		}
		all = append(all, refusedVector{v.Name, v.Bytes})
	}
	for _, v := range all {
		agreed(t, v.Bytes)
		for n := range min(len(v.Bytes), 260) {
			agreed(t, v.Bytes[:n])
			for _, with := range []byte{1, 0x80, 0xff} {
				b := bytes.Clone(v.Bytes)
				b[n] ^= with
				agreed(t, b)
			}
		}
	}
	says, silent := legs()
	for _, l := range says {
		if agreed(t, l.Bytes); !legsAgree(t, l.Bytes) {
			t.Errorf("%s says nothing of a leg", l.Name)
		}
	}
	for _, l := range silent {
		if agreed(t, l.Bytes); legsAgree(t, l.Bytes) {
			t.Errorf("%s says something of a leg", l.Name)
		}
	}
	good, refused := circuits()
	for _, c := range good {
		circuitAgreed(t, c.Bytes)
	}
	for _, c := range refused {
		circuitAgreed(t, c.Bytes)
	}
}

// Random candidates of every class of address.
// SPEC R-6.13-3.
func TestCandidatesAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 13))
	starts := []string{"::ffff:0.0.0.0", "::ffff:127.0.0.0", "::ffff:192.0.2.0", "::ffff:223.255.255.0", "::ffff:224.0.0.0", "::ffff:239.0.0.0",
		"::ffff:240.0.0.0", "::ffff:255.255.255.0", "::", "::7f00:0", "100::", "100:0:0:1::", "64:ff9b::", "2001:db8::", "fd4c:3254::", "fe7f::", "fe80::", "febf::", "fec0::", "feff::", "ff00::", "fffe::"}
	taken := 0
	for range 20_000 {
		f := frame{Type: frameCandidates}
		for range r.IntN(3) + 1 {
			a := netip.MustParseAddr(starts[r.IntN(len(starts))]).As16()
			a[15] = byte(r.IntN(3))
			if r.IntN(4) == 0 {
				a[r.IntN(16)] = byte(r.Uint32())
			}
			f.Candidates = append(f.Candidates, place{a[:], uint16(1022 + r.IntN(4)), byte(r.IntN(3))})
		}
		if agreed(t, f.bytes()) {
			taken++
		}
	}
	if taken < 100 {
		t.Errorf("%d of 20000 were taken", taken)
	}
}

// FuzzMeeting: whatever comes, package wire and the second implementation take it
// for the same or refuse it.
func FuzzMeeting(f *testing.F) {
	for _, v := range meetingFrames() {
		f.Add([]byte(v.Bytes))
	}
	for _, v := range refusedFrames() {
		f.Add([]byte(v.Bytes))
	}
	good, _ := circuits()
	for _, v := range good {
		f.Add([]byte(v.Bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		agreed(t, b)
		legsAgree(t, b)
		circuitAgreed(t, b)
	})
}
