package second

import "bytes"

// Frames of SPEC 6.13.
const (
	frameMeet, frameMet          = 0x08, 0x09
	frameReady, frameNotMet      = 0x0a, 0x0b
	frameCandidates              = 0x0c
	frameHome, frameSleep        = 0x0e, 0x0f
	mostCandidates, candidate    = 8, 19
	mostSealed, homeQuestion     = 1280, 65535
	sleepAsks, sleepsNot, allHow = 1, 3, 3
	fromHub, labels, plain       = 1, 2, 4 // flags
)

// A place is a candidate.
type place struct {
	Address hexBytes `json:"address"` // 16 bytes
	Port    uint16   `json:"port"`
	Kind    byte     `json:"kind"`
}

// A frame is one of any type; the fields of others are zero.
type frame struct {
	Type       byte     `json:"type"`
	ID         uint32   `json:"id,omitempty"`
	Digest     hexBytes `json:"digest,omitempty"` // other, or caller
	Label      hexBytes `json:"label,omitempty"`
	Flags      byte     `json:"flags,omitempty"`
	RTT        uint16   `json:"rtt,omitempty"`
	Candidates []place  `json:"candidates,omitempty"`
	Sealed     hexBytes `json:"sealed,omitempty"`
	Reason     byte     `json:"reason,omitempty"`
	Lifetime   uint16   `json:"lifetime,omitempty"`
	Circuits   uint16   `json:"circuits,omitempty"`
	Step       byte     `json:"step,omitempty"`
	How        byte     `json:"how,omitempty"`
}

func (f frame) bytes() []byte {
	b := []byte{f.Type}
	switch f.Type {
	case frameMeet, frameMet:
		return join(b, le32(int(f.ID)), f.Digest, f.Label, []byte{f.Flags}, le16(int(f.RTT)),
			listed(f.Candidates), le16(len(f.Sealed)), f.Sealed)
	case frameReady:
		return join(b, le32(int(f.ID)), f.Digest)
	case frameNotMet:
		return join(b, le32(int(f.ID)), f.Digest, []byte{f.Reason})
	case frameCandidates:
		return join(b, listed(f.Candidates))
	case frameHome:
		return join(b, le16(int(f.Lifetime)), le16(int(f.Circuits)))
	}
	return append(b, f.Step, f.How)
}

// said is what a MET with labels says of a leg: under what its sender receives, and
// under what it sends, zeros for nothing that it knows.
func (f frame) said() (receives, sends hexBytes, ok bool) {
	ok = f.Type == frameMet && f.Flags&labels != 0 && len(f.Candidates) == 0 && len(f.Sealed) == 7
	if !ok || f.Sealed[0] < 0x80 && !bytes.Equal(f.Sealed, make([]byte, 7)) {
		return nil, nil, false
	}
	return f.Label, f.Sealed, true
}

func listed(all []place) []byte {
	b := []byte{byte(len(all))}
	for _, p := range all {
		b = join(b, p.Address, le16(int(p.Port)), []byte{p.Kind})
	}
	return b
}

// readFrame is what b says; false for what the SPEC says to refuse, and for what is
// no frame of 6.13.
func readFrame(b []byte) (f frame, ok bool) {
	r := &reader{rest: b}
	f.Type = byte(r.number(1))
	switch f.Type {
	case frameMeet, frameMet:
		f.ID, f.Digest, f.Label = uint32(r.number(4)), r.digest(), r.take(7)
		f.Flags, f.RTT, f.Candidates = byte(r.number(1)), uint16(r.number(2)), r.places()
		f.Sealed = r.take(r.number(2))
		r.want(len(f.Label) == 7 && f.Label[0] >= 0x80 && len(f.Sealed) <= mostSealed)
	case frameReady:
		f.ID, f.Digest = uint32(r.number(4)), r.digest()
	case frameNotMet:
		f.ID, f.Digest, f.Reason = uint32(r.number(4)), r.digest(), byte(r.number(1))
		r.want(f.Reason > 0)
	case frameCandidates:
		f.Candidates = r.places()
	case frameHome:
		f.Lifetime, f.Circuits = uint16(r.number(2)), uint16(r.number(2))
	case frameSleep:
		f.Step, f.How = byte(r.number(1)), byte(r.number(1))
		r.want(f.Step >= sleepAsks && f.Step <= sleepsNot && f.How <= allHow && (f.Step == sleepsNot) == (f.How == 0))
	default:
		return frame{}, false
	}
	return f, !r.bad && len(r.rest) == 0
}

// A reader takes fields off the front.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) want(yes bool) { r.bad = r.bad || !yes }

// take is the next n bytes; zeros when there are fewer.
func (r *reader) take(n int) []byte {
	if r.want(len(r.rest) >= n); r.bad {
		return make([]byte, min(n, 32))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// number is a little-endian one of n bytes.
func (r *reader) number(n int) (v int) {
	for i, b := range r.take(n) {
		v |= int(b) << (8 * i)
	}
	return v
}

func (r *reader) digest() []byte {
	d := r.take(32)
	r.want(!bytes.Equal(d, make([]byte, 32)))
	return d
}

func (r *reader) places() (all []place) {
	n := r.number(1)
	r.want(n <= mostCandidates)
	for range min(n, mostCandidates) {
		p := place{r.take(16), uint16(r.number(2)), byte(r.number(1))}
		r.want(may(p))
		for _, q := range all {
			r.want(!bytes.Equal(p.Address, q.Address) || p.Port != q.Port)
		}
		all = append(all, p)
	}
	return all
}

var mapped = []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}

// may says whether a candidate may stand in a frame.
func may(p place) bool {
	if p.Kind == 0 || p.Port < 1024 {
		return false
	}
	a := p.Address
	if bytes.HasPrefix(a, mapped) {
		switch first := a[12]; {
		case first == 0, first == 127: // unspecified among them; loopback
			return false
		default:
			return first < 224 // multicast, 240.0.0.0/4
		}
	}
	switch {
	case bytes.Equal(a[:15], make([]byte, 15)) && a[15] <= 1: // unspecified, loopback
		return false
	case bytes.Equal(a[:8], []byte{1, 0, 0, 0, 0, 0, 0, 0}): // 100::/64
		return false
	}
	return a[0] != 0xff && (a[0] != 0xfe || a[1]&0xc0 != 0x80)
}

// circuit is a circuit datagram.
func circuit(label, datagram []byte) []byte { return join([]byte{0x40}, label, datagram) }

// readCircuit takes one apart; false for what is none by form.
func readCircuit(b []byte) (label, datagram []byte, ok bool) {
	if len(b) < 9 || b[0] != 0x40 || b[1] < 0x80 {
		return nil, nil, false
	}
	return b[1:8], b[8:], true
}
