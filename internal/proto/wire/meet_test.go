package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"testing"
	"time"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// meetingVectors are spec/vectors/meeting.json, made by test/second.
type meetingVectors struct {
	Frames []struct {
		Name  string
		Frame struct {
			Type, Flags, Reason, Step, How byte
			ID                             uint32
			Digest, Label, Sealed          hexBytes
			RTT, Lifetime, Circuits        uint16
			Candidates                     []struct {
				Address hexBytes
				Port    uint16
				Kind    CandidateKind
			}
		}
		Bytes hexBytes
	}
	Circuits []struct {
		Name                   string
		Label, Datagram, Bytes hexBytes
	}
	Refused, RefusedCircuits []struct {
		Name  string
		Bytes hexBytes
	}
}

func readMeetingVectors(t testing.TB) (v meetingVectors) {
	t.Helper()
	raw, err := os.ReadFile("../../../spec/vectors/meeting.json")
	if err == nil {
		raw = bytes.ReplaceAll(raw, []byte("refused_circuits"), []byte("refusedCircuits"))
		err = json.Unmarshal(raw, &v)
	}
	if err != nil || len(v.Frames) < 19 || len(v.Refused) < 40 || len(v.Circuits) < 4 || len(v.RefusedCircuits) < 5 {
		t.Fatalf("%d frames, %d refused: %v", len(v.Frames), len(v.Refused), err)
	}
	return v
}

// SPEC 6.13: what another implementation writes is written and read alike.
func TestMeetingFramesEqualVectors(t *testing.T) {
	for _, v := range readMeetingVectors(t).Frames {
		f := v.Frame
		var c Candidates
		for _, x := range f.Candidates {
			if !c.Add(Candidate{netip.AddrPortFrom(netip.AddrFrom16([16]byte(x.Address)), x.Port), x.Kind}) {
				t.Fatalf("%s: %v is no candidate", v.Name, x)
			}
		}
		var made []byte
		same := false
		switch f.Type {
		case FrameMeet, FrameMet:
			want := Meet{f.Type == FrameMet, f.ID, [DigestSize]byte(f.Digest), RecordID(f.Label), f.Flags, time.Duration(f.RTT) * time.Millisecond, c, f.Sealed}
			got, ok := ParseMeet(v.Bytes)
			sealed := bytes.Equal(got.Sealed, want.Sealed)
			got.Sealed, want.Sealed = nil, nil
			same = ok && sealed && equalMeets(got, want)
			want.Sealed = f.Sealed
			made = want.Append(nil)
		case FrameReady:
			want := Ready{f.ID, [DigestSize]byte(f.Digest)}
			got, ok := ParseReady(v.Bytes)
			made, same = want.Append(nil), ok && got == want
		case FrameNotMet:
			want := NotMet{f.ID, [DigestSize]byte(f.Digest), Refusal(f.Reason)}
			got, ok := ParseNotMet(v.Bytes)
			made, same = want.Append(nil), ok && got == want
		case FrameCandidates:
			got, ok := ParseCandidates(v.Bytes)
			made, same = c.Append(nil), ok && got == c
		case FrameHome:
			want := Home{f.Circuits != homeAsks, time.Duration(f.Lifetime) * time.Second, int(f.Circuits)}
			if !want.Answer {
				want.Circuits = 0
			}
			got, ok := ParseHome(v.Bytes)
			made, same = want.Append(nil), ok && got == want
		case FrameSleep:
			want := Sleep{SleepStep(f.Step), Wake(f.How)}
			got, ok := ParseSleep(v.Bytes)
			made, same = want.Append(nil), ok && got == want
		}
		if !same || !bytes.Equal(made, v.Bytes) {
			t.Errorf("%s: read alike: %v; written\n%x, want\n%x", v.Name, same, made, []byte(v.Bytes))
		}
	}
}

func equalMeets(a, b Meet) bool {
	return a.Met == b.Met && a.ID == b.ID && a.Other == b.Other && a.Label == b.Label && a.Flags == b.Flags && a.RTT == b.RTT && a.Candidates == b.Candidates
}

// meetingParsers read b as each frame of SPEC 6.13; back is what is written for it.
func meetingParsers(b []byte) map[string]func() (back []byte, ok bool) {
	return map[string]func() ([]byte, bool){
		"meet":       func() ([]byte, bool) { m, ok := ParseMeet(b); return m.Append(nil), ok },
		"ready":      func() ([]byte, bool) { r, ok := ParseReady(b); return r.Append(nil), ok },
		"not met":    func() ([]byte, bool) { n, ok := ParseNotMet(b); return n.Append(nil), ok },
		"candidates": func() ([]byte, bool) { c, ok := ParseCandidates(b); return c.Append(nil), ok },
		"home":       func() ([]byte, bool) { h, ok := ParseHome(b); return h.Append(nil), ok },
		"sleep":      func() ([]byte, bool) { s, ok := ParseSleep(b); return s.Append(nil), ok },
	}
}

// SPEC R-6.13-2, R-6.13-3: refused, and nothing of it is kept.
func TestMeetingFramesThatAreRefused(t *testing.T) {
	v := readMeetingVectors(t)
	for _, r := range v.Refused {
		for name, read := range meetingParsers(r.Bytes) {
			if _, ok := read(); ok {
				t.Errorf("%s: taken as %s", r.Name, name)
			}
		}
		if m, _ := ParseMeet(r.Bytes); !equalMeets(m, Meet{}) || m.Sealed != nil {
			t.Errorf("%s: %+v is left of it", r.Name, m)
		}
	}
	// Each frame is of one type and one length, and none has the 10 bytes that
	// make its record as large as a stateless reset (SPEC R-3.1-3).
	for _, f := range v.Frames {
		taken := 0
		for _, read := range meetingParsers(f.Bytes) {
			if _, ok := read(); ok {
				taken++
			}
		}
		if taken != 1 || len(f.Bytes) == 10 {
			t.Errorf("%s is read as %d frames, %d bytes", f.Name, taken, len(f.Bytes))
		}
		longer := append(bytes.Clone(f.Bytes), 0)
		for n := range len(longer) + 1 {
			for name, read := range meetingParsers(longer[:n]) {
				if _, ok := read(); ok && n != len(f.Bytes) {
					t.Errorf("%s: %d of %d bytes are taken as %s", f.Name, n, len(f.Bytes), name)
				}
			}
		}
	}
}

func TestRoundTripsInMilliseconds(t *testing.T) {
	for d, want := range map[time.Duration]uint16{0: 0, -time.Second: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2,
		65534 * time.Millisecond: 65534, time.Hour: 65535, 1<<63 - 1: 65535} {
		if got := milliseconds(d); got != want {
			t.Errorf("%v is told as %d ms, want %d", d, got, want)
		}
	}
}

// What does not fit the field is told as the nearest that does; an answer never
// reads as a question.
func TestHomeIsBounded(t *testing.T) {
	for _, c := range []struct{ say, read Home }{
		{Home{true, 24 * time.Hour, 1 << 20}, Home{true, 65535 * time.Second, 65534}},
		{Home{true, -time.Second, -1}, Home{true, 0, 0}},
		{Home{true, 1999 * time.Millisecond, 65535}, Home{true, time.Second, 65534}},
		{Home{false, time.Minute, 7}, Home{false, time.Minute, 0}},
	} {
		if got, ok := ParseHome(c.say.Append(nil)); !ok || got != c.read {
			t.Errorf("%+v is read as %+v, %v", c.say, got, ok)
		}
	}
}

// A hub reads each MEET that passes it.
func TestMeetingAllocatesNothing(t *testing.T) {
	v := readMeetingVectors(t)
	buf := make([]byte, 0, 2048)
	for _, f := range v.Frames {
		if n := testing.AllocsPerRun(100, func() {
			if m, ok := ParseMeet(f.Bytes); ok {
				buf = m.Append(buf[:0])
			}
			if c, ok := ParseCandidates(f.Bytes); ok {
				buf = c.Append(buf[:0])
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", f.Name, n)
		}
	}
}

// FuzzMeeting: a frame that is taken comes back as it was, and is one frame only.
func FuzzMeeting(f *testing.F) {
	v := readMeetingVectors(f)
	for _, x := range v.Frames {
		f.Add([]byte(x.Bytes))
	}
	for _, x := range v.Refused {
		f.Add([]byte(x.Bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		taken := 0
		for name, read := range meetingParsers(b) {
			if back, ok := read(); ok {
				if taken++; !bytes.Equal(back, b) || len(b) == 10 {
					t.Fatalf("%x is read as the %s %x", b, name, back)
				}
			}
		}
		if taken > 1 {
			t.Fatalf("%x is %d frames", b, taken)
		}
		if c, ok := ParseCandidates(b); ok {
			for _, x := range c.All() {
				if !x.Valid() || x.Addr.Addr().Is4In6() {
					t.Fatalf("%x has the candidate %v", b, x)
				}
			}
		}
	})
}
