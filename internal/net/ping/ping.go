// Package ping has the probes that callers of a session wait for (SPEC 6.10).
//
// Waiting belongs to the loop of its session and is for one goroutine; the caller, in
// another one, reads the Answer of its Ping.
package ping

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// size is the plaintext of a probe in bytes: above that of the smallest one, whose
	// echo also begins the peer's count of large records anew (pathset).
	size = wire.MinProbe + 8
	// maxWaiting bounds the pings of one session that wait for their echo.
	maxWaiting = 64
)

// A Pong says how a ping travelled.
type Pong struct {
	Link    string // quic or utcp
	Carrier string
	Local   netip.AddrPort
	Remote  netip.AddrPort
	Epoch   uint32
	RTT     time.Duration // from the loop that sent it back to the loop
}

// A Ping is a probe that a caller waits for. All but Answer is the loop's.
type Ping struct {
	Answer chan Pong // takes one without a reader
	nonce  uint64
	path   link.Path
	at     time.Time
	pong   Pong
}

// New makes a ping that is not sent.
func New() *Ping { return &Ping{Answer: make(chan Pong, 1)} }

// Probe sends a probe of the size of pings on a path.
func Probe(e *record.Epoch, p link.Path, nonce uint64) error {
	return frames.SendWhole(e, p, p.Kind().Space, wire.AppendProbe(nil, nonce, size))
}

// Waiting are the pings that wait for their echo. The zero value is none.
type Waiting struct{ pings []*Ping }

// Any reports whether there is one.
func (x *Waiting) Any() bool { return len(x.pings) > 0 }

// Send sends a ping under e on a path. Of too many the oldest is forgotten: its caller
// gives up at its own time.
func (x *Waiting) Send(p *Ping, e *record.Epoch, by link.Path, nonce uint64, now time.Time) error {
	if len(x.pings) >= maxWaiting {
		x.pings = x.pings[1:]
	}
	p.nonce, p.path, p.at = nonce, by, now
	p.pong = Pong{Link: string(by.Kind().Link), Carrier: by.Kind().String(), Local: by.Local(), Remote: by.Remote(), Epoch: e.Number()}
	x.pings = append(x.pings, p)
	return Probe(e, by, nonce)
}

// Echo takes an echo that somebody waits for. One that came by another path answers
// nothing.
func (x *Waiting) Echo(from link.Path, nonce uint64, now time.Time) bool {
	i := slices.IndexFunc(x.pings, func(p *Ping) bool { return p.nonce == nonce && p.path == from })
	if i < 0 {
		return false
	}
	p := x.pings[i]
	x.Forget(p)
	p.pong.RTT = now.Sub(p.at)
	p.Answer <- p.pong
	return true
}

// Forget drops a ping whose caller does not wait any more.
func (x *Waiting) Forget(p *Ping) {
	x.pings = slices.DeleteFunc(x.pings, func(other *Ping) bool { return other == p })
}
