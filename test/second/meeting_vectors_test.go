package second

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

type (
	frameVector struct {
		Name  string   `json:"name"`
		Frame frame    `json:"frame"`
		Bytes hexBytes `json:"bytes"`
	}
	circuitVector struct {
		Name     string   `json:"name"`
		Label    hexBytes `json:"label"`
		Datagram hexBytes `json:"datagram"`
		Bytes    hexBytes `json:"bytes"`
	}
	refusedVector struct {
		Name  string   `json:"name"`
		Bytes hexBytes `json:"bytes"`
	}
	// A legVector is a frame of Frames and what it says of a leg.
	legVector struct {
		Name     string   `json:"name"`
		Receives hexBytes `json:"receives"`
		Sends    hexBytes `json:"sends"`
		Bytes    hexBytes `json:"bytes"`
	}
	meetingVectors struct {
		Frames          []frameVector   `json:"frames"`
		Legs            []legVector     `json:"legs"`
		NoLegs          []refusedVector `json:"no_legs"` // frames, none of which says anything of a leg
		Circuits        []circuitVector `json:"circuits"`
		Refused         []refusedVector `json:"refused"`
		RefusedCircuits []refusedVector `json:"refused_circuits"`
	}
)

func four(a, b, c, d byte) hexBytes { return join(mapped, []byte{a, b, c, d}) }

// six is an IPv6 address of its first bytes and its last.
func six(last byte, first ...byte) hexBytes {
	a := make([]byte, 16)
	copy(a, first)
	a[15] = last
	return a
}

func digestOf(name string) hexBytes { return hash([]byte(name)) }

// meetingFrames are frames of each type, the least and the largest among them.
func meetingFrames() (all []frameVector) {
	global := place{six(1, 0x20, 0x01, 0x0d, 0xb8), 4242, 1}
	seen := place{four(192, 0, 2, 7), 50001, 2}
	private := place{four(10, 0, 0, 9), 4242, 1}
	router := place{four(198, 51, 100, 1), 65535, 3}
	configured := place{four(223, 255, 255, 255), 1024, 4}
	later := place{six(0x77, 0xfd), 4242, 200}
	eight := []place{global, seen, private, router, configured, later, {four(1, 0, 0, 0), 4242, 1}, {four(1, 0, 0, 0), 4243, 1}}
	a, b := digestOf("a"), digestOf("b")
	label := hexBytes{0x80, 1, 2, 3, 4, 5, 6}
	add := func(name string, f frame) { all = append(all, frameVector{name, f, f.bytes()}) }
	add("MEET of A", frame{Type: frameMeet, ID: 0x01020304, Digest: b, Label: label, Candidates: []place{global, seen}})
	add("MEET of A, without openers", frame{Type: frameMeet, ID: 0x01020304, Digest: b, Label: label, Flags: plain, Candidates: []place{seen}})
	add("MEET of A, for a circuit alone", frame{Type: frameMeet, ID: 0x01020304, Digest: b, Label: label})
	add("MEET to B, without openers", frame{Type: frameMeet, ID: 0x01020304, Digest: a, Label: label, Flags: fromHub | plain, RTT: 42, Candidates: []place{seen}})
	add("MEET to B", frame{Type: frameMeet, ID: 0x01020304, Digest: a, Label: hexBytes{0xff, 9, 9, 9, 9, 9, 9}, Flags: fromHub, RTT: 42, Candidates: []place{global, seen}})
	add("MET of B", frame{Type: frameMet, ID: 0x01020304, Digest: a, Label: label, Candidates: []place{private}})
	add("MET to A", frame{Type: frameMet, ID: 0x01020304, Digest: b, Label: label, Flags: fromHub, RTT: 42, Candidates: []place{private}})
	add("MET without candidates, with a round trip of more", frame{Type: frameMet, Digest: b, Label: label, Flags: fromHub, RTT: 65535})
	add("MEET of a later version", frame{Type: frameMeet, ID: 0xffffffff, Digest: b, Label: label, Flags: 0xff, RTT: 1, Candidates: eight, Sealed: digestOf("sealed")})
	add("the largest MEET", frame{Type: frameMeet, ID: 1, Digest: b, Label: label, Candidates: eight, Sealed: bytes.Repeat([]byte{0x5e}, mostSealed)})
	add("READY", frame{Type: frameReady, ID: 0x01020304, Digest: a})
	add("NOT_MET", frame{Type: frameNotMet, ID: 0x01020304, Digest: a, Reason: 1})
	add("NOT_MET, limit", frame{Type: frameNotMet, ID: 0x01020304, Digest: a, Reason: 2})
	add("NOT_MET, a later reason", frame{Type: frameNotMet, ID: 0x01020304, Digest: a, Reason: 255})
	add("CANDIDATES", frame{Type: frameCandidates, Candidates: []place{private, global}})
	add("CANDIDATES, none", frame{Type: frameCandidates})
	add("CANDIDATES, eight", frame{Type: frameCandidates, Candidates: eight})
	add("HOME", frame{Type: frameHome, Lifetime: 600, Circuits: homeQuestion})
	add("HOME, the answer", frame{Type: frameHome, Lifetime: 300, Circuits: 64})
	add("HOME, no room", frame{Type: frameHome})
	add("SLEEP, ask", frame{Type: frameSleep, Step: 1, How: 1})
	add("SLEEP, agree", frame{Type: frameSleep, Step: 2, How: 3})
	add("SLEEP, refuse", frame{Type: frameSleep, Step: 3})
	return all
}

// legs are frames that say what their sender knows of a leg, and some that do not.
func legs() (good []legVector, none []refusedVector) {
	label, other := hexBytes{0x80, 1, 2, 3, 4, 5, 6}, hexBytes{0xff, 9, 9, 9, 9, 9, 9}
	base := frame{Type: frameMet, ID: 0x01020304, Digest: digestOf("b"), Label: label, Flags: labels, Sealed: other}
	for name, f := range map[string]frame{"of an end": base, "of the hub": with(base, func(f *frame) { f.Flags |= fromHub }),
		"of an end that knows no label of the hub": with(base, func(f *frame) { f.Sealed = make([]byte, 7) })} {
		good = append(good, legVector{name, f.Label, f.Sealed, f.bytes()})
	}
	for name, f := range map[string]frame{
		"the flag missing":        with(base, func(f *frame) { f.Flags = fromHub }),
		"a MEET":                  with(base, func(f *frame) { f.Type = frameMeet }),
		"candidates":              with(base, func(f *frame) { f.Candidates = []place{{four(192, 0, 2, 7), 4242, 1}} }),
		"6 bytes":                 with(base, func(f *frame) { f.Sealed = other[:6] }),
		"8 bytes":                 with(base, func(f *frame) { f.Sealed = join(other, []byte{0}) }),
		"nothing":                 with(base, func(f *frame) { f.Sealed = nil }),
		"a label without its bit": with(base, func(f *frame) { f.Sealed = hexBytes{0x7f, 9, 9, 9, 9, 9, 9} }),
		"zeros but for one":       with(base, func(f *frame) { f.Sealed = hexBytes{0, 0, 0, 0, 0, 0, 1} }),
	} {
		none = append(none, refusedVector{name, f.bytes()})
	}
	slices.SortFunc(good, func(a, b legVector) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(none, func(a, b refusedVector) int { return strings.Compare(a.Name, b.Name) })
	return good, none
}

func with(f frame, change func(f *frame)) frame {
	change(&f)
	return f
}

// refusedFrames are what a receiver refuses, each for one reason.
func refusedFrames() (all []refusedVector) {
	good := frame{Type: frameMeet, ID: 1, Digest: digestOf("b"), Label: hexBytes{0x80, 1, 2, 3, 4, 5, 6}, Candidates: []place{{four(192, 0, 2, 7), 4242, 1}}, Sealed: hexBytes{1, 2, 3}}
	add := func(name string, b []byte) { all = append(all, refusedVector{name, b}) }
	but := func(name string, change func(f *frame)) {
		f := good
		f.Candidates = slices.Clone(good.Candidates)
		change(&f)
		add(name, f.bytes())
	}
	but("MEET, digest of zeros", func(f *frame) { f.Digest = make([]byte, 32) })
	but("MEET, label without its bit", func(f *frame) { f.Label = hexBytes{0x7f, 1, 2, 3, 4, 5, 6} })
	but("MEET, 1281 bytes sealed", func(f *frame) { f.Sealed = make([]byte, mostSealed+1) })
	but("MEET, nine candidates", func(f *frame) {
		for n := range byte(mostCandidates) {
			f.Candidates = append(f.Candidates, place{four(192, 0, 2, 8+n), 4242, 1})
		}
	})
	add("MEET, cut", good.bytes()[:len(good.bytes())-1])
	add("MEET, a byte more", append(good.bytes(), 0))
	add("MEET, cut in its candidate", good.bytes()[:60])
	add("MEET, 255 candidates told", join(good.bytes()[:47], []byte{255}, good.bytes()[48:]))
	for name, p := range map[string]place{
		"kind 0": {four(192, 0, 2, 7), 4242, 0}, "port 0": {four(192, 0, 2, 7), 0, 1}, "port 1023": {four(192, 0, 2, 7), 1023, 1},
		"0.0.0.0": {four(0, 0, 0, 0), 4242, 1}, "0.1.2.3": {four(0, 1, 2, 3), 4242, 1}, "127.0.0.1": {four(127, 0, 0, 1), 4242, 1},
		"127.255.255.254": {four(127, 255, 255, 254), 4242, 1}, "224.0.0.1": {four(224, 0, 0, 1), 4242, 1},
		"240.0.0.1": {four(240, 0, 0, 1), 4242, 1}, "255.255.255.255": {four(255, 255, 255, 255), 4242, 1},
		"::": {six(0), 4242, 1}, "::1": {six(1), 4242, 1}, "ff02::1": {six(1, 0xff, 2), 4242, 1},
		"fe80::1": {six(1, 0xfe, 0x80), 4242, 1}, "febf::1": {six(1, 0xfe, 0xbf), 4242, 1}, "100::1": {six(1, 1), 4242, 1},
	} {
		but("MEET, candidate "+name, func(f *frame) { f.Candidates[0] = p })
	}
	but("MEET, a candidate twice", func(f *frame) { f.Candidates = []place{good.Candidates[0], {four(192, 0, 2, 7), 4242, 2}} })
	add("READY, cut", frame{Type: frameReady, ID: 1, Digest: digestOf("a")}.bytes()[:36])
	add("READY, digest of zeros", frame{Type: frameReady, ID: 1, Digest: make([]byte, 32)}.bytes())
	add("READY, a byte more", append(frame{Type: frameReady, ID: 1, Digest: digestOf("a")}.bytes(), 1))
	add("NOT_MET, reason 0", frame{Type: frameNotMet, ID: 1, Digest: digestOf("a")}.bytes())
	add("NOT_MET, digest of zeros", frame{Type: frameNotMet, ID: 1, Digest: make([]byte, 32), Reason: 1}.bytes())
	add("CANDIDATES, a byte more", []byte{frameCandidates, 0, 0})
	add("CANDIDATES, cut", []byte{frameCandidates, 1})
	add("CANDIDATES, no number", []byte{frameCandidates})
	add("HOME, cut", []byte{frameHome, 1, 0, 0xff})
	add("HOME, a byte more", []byte{frameHome, 1, 0, 0xff, 0xff, 0})
	add("SLEEP, step 0", []byte{frameSleep, 0, 1})
	add("SLEEP, step 4", []byte{frameSleep, 4, 1})
	add("SLEEP, asks without a way", []byte{frameSleep, 1, 0})
	add("SLEEP, agrees without a way", []byte{frameSleep, 2, 0})
	add("SLEEP, refuses with a way", []byte{frameSleep, 3, 1})
	add("SLEEP, another way", []byte{frameSleep, 1, 4})
	add("SLEEP, cut", []byte{frameSleep, 1})
	slices.SortFunc(all, func(a, b refusedVector) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return all
}

// circuits are circuit datagrams, and what is none by form.
func circuits() (good []circuitVector, refused []refusedVector) {
	label := hexBytes{0x80, 1, 2, 3, 4, 5, 6}
	record := join([]byte{0x40, 0xaa, 1, 2, 3, 4, 5, 6}, make([]byte, 7), []byte{4}, bytes.Repeat([]byte{0x5e}, 16))
	for name, d := range map[string][]byte{"a record without plaintext": record, "a QUIC packet with a short header": append([]byte{0x41, 1}, make([]byte, 30)...),
		"the least": {0xc0}, "of 42 bytes, as a stateless reset": append([]byte{0x41, 1}, make([]byte, 32)...)} {
		good = append(good, circuitVector{name, label, d, circuit(label, d)})
	}
	slices.SortFunc(good, func(a, b circuitVector) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	refused = []refusedVector{
		{"nothing inside", circuit(label, nil)}, {"cut in its label", circuit(label, nil)[:7]}, {"empty", nil},
		{"label without its bit", circuit(hexBytes{0x7f, 1, 2, 3, 4, 5, 6}, record)},
		{"byte 0 of a short header", append([]byte{0x41}, circuit(label, record)[1:]...)},
	}
	return good, refused
}

// TestMeetingVectors: what stands in spec/vectors is what the second implementation
// makes, and it reads and refuses what it says to.
func TestMeetingVectors(t *testing.T) {
	good, refused := circuits()
	says, silent := legs()
	v := meetingVectors{meetingFrames(), says, silent, good, refusedFrames(), refused}
	for _, f := range v.Frames {
		if back, ok := readFrame(f.Bytes); !ok || !bytes.Equal(toJSON(t, back), toJSON(t, f.Frame)) || len(f.Bytes) == 10 {
			t.Errorf("%s: %x is read as %+v, %v", f.Name, f.Bytes, back, ok)
		}
	}
	for _, f := range v.Refused {
		if back, ok := readFrame(f.Bytes); ok {
			t.Errorf("%s: %x is taken as %+v", f.Name, f.Bytes, back)
		}
	}
	for _, l := range v.Legs {
		f, ok := readFrame(l.Bytes)
		if receives, sends, says := f.said(); !ok || !says || !bytes.Equal(receives, l.Receives) || !bytes.Equal(sends, l.Sends) {
			t.Errorf("%s: %x says %x and %x, %v", l.Name, l.Bytes, receives, sends, says)
		}
	}
	for _, l := range v.NoLegs {
		f, ok := readFrame(l.Bytes)
		if _, _, says := f.said(); !ok || says {
			t.Errorf("%s: %x is a frame: %v, and says something of a leg: %v", l.Name, l.Bytes, ok, says)
		}
	}
	for _, c := range v.Circuits {
		if label, d, ok := readCircuit(c.Bytes); !ok || !bytes.Equal(label, c.Label) || !bytes.Equal(d, c.Datagram) {
			t.Errorf("%s: %x is read as %x, %x", c.Name, c.Bytes, label, d)
		}
	}
	for _, c := range v.RefusedCircuits {
		if _, _, ok := readCircuit(c.Bytes); ok {
			t.Errorf("%s: %x is taken", c.Name, c.Bytes)
		}
	}
	compare(t, "meeting.json", v)
}
