package joinproxy

import (
	"errors"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A DID is the digest of one.
type DID = [wire.DigestSize]byte

const (
	maxQueue  = 8           // requests that wait to be decided about
	perSecond = 5           // requests of one hub
	second    = time.Second // for which these are counted
)

var (
	// ErrAway: the inviting node has no session with this hub. Nothing was sent.
	ErrAway = errors.New("joinproxy: the inviting node is not connected")
	// ErrSilent: it has not answered in time. It may have agreed.
	ErrSilent = errors.New("joinproxy: the inviting node does not answer")
	// ErrBusy: as many joins wait as may. Nothing was sent.
	ErrBusy = errors.New("joinproxy: too many joins wait")
)

// A Config is what a Proxy is made of. All but Guard is required, and is called from
// many goroutines.
type Config struct {
	// Send sends a frame in the session with a peer. It must not block, and copies
	// the frame.
	Send func(to DID, frame []byte) bool
	// Here reports whether there is an established session with a peer.
	Here func(peer DID) bool
	// IsHub reports whether this node has chosen a peer as a hub: what others bring
	// is dropped.
	IsHub func(peer DID) bool
	// Decide takes what a hub brings, and returns the answer to the joining node. It
	// may take its time. An empty answer without agreed says that the invitation is
	// not known.
	Decide func(hub DID, joining DID, id [4]byte, sealed []byte) (agreed bool, answer []byte)
	Guard  *guard.Guard
}

// A Proxy passes joins on, and takes what hubs pass on. Its methods are safe for
// concurrent use.
type Proxy struct {
	c Config

	mu      sync.Mutex
	closed  bool
	queue   []request
	working bool
	taken   map[DID]window       // by hub: no more than the config has
	waiting map[uint32]*question // by number
	wg      sync.WaitGroup
}

// A request waits to be decided about.
type request struct {
	hub DID
	wire.ProxyJoin
}

// A window counts the requests of one hub since a time.
type window struct {
	since time.Time
	n     int
}

// New makes a Proxy, without a goroutine. Close ends it.
func New(c Config) *Proxy {
	return &Proxy{c: c, taken: make(map[DID]window), waiting: make(map[uint32]*question)}
}

// Close forgets what waits to be decided about, and waits for what is being decided.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed, p.queue = true, nil
	p.mu.Unlock()
	p.wg.Wait()
}

// Frame takes a frame of a peer; false: it is none of this package. It never blocks.
func (p *Proxy) Frame(from DID, frame []byte) bool {
	f, ok := wire.ParseProxyJoin(frame)
	if !ok {
		return false
	}
	if f.Step != wire.ProxyAsks {
		p.answered(from, f)
	} else if p.c.IsHub(from) {
		f.Sealed = append([]byte(nil), f.Sealed...)
		p.enqueue(request{from, f}, time.Now())
	}
	return true
}

// enqueue keeps a request for the goroutine, and starts one where there is none.
func (p *Proxy) enqueue(r request, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.queue) >= maxQueue || !p.admit(r.hub, now) {
		return // the hub asks again
	}
	p.queue = append(p.queue, r)
	if !p.working {
		p.working = true
		p.wg.Go(p.work)
	}
}

// admit counts a request of a hub; the caller holds mu.
func (p *Proxy) admit(hub DID, now time.Time) bool {
	t := p.taken[hub]
	if now.Sub(t.since) >= second {
		t = window{since: now}
	}
	t.n++
	p.taken[hub] = t
	return t.n <= perSecond
}

// work decides about what waits, and ends when nothing does.
func (p *Proxy) work() {
	for {
		r, ok := p.next()
		if !ok {
			return
		}
		p.c.Guard.Do("join through a hub", func() { p.decide(r) })
	}
}

func (p *Proxy) next() (r request, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.working = false
		return r, false
	}
	r, p.queue = p.queue[0], p.queue[1:]
	return r, true
}

func (p *Proxy) decide(r request) {
	agreed, answer := p.c.Decide(r.hub, r.Joining, r.ID, r.Sealed)
	out := wire.ProxyJoin{Step: wire.ProxyRefused, Number: r.Number, ID: r.ID, Joining: r.Joining, Sealed: answer}
	if agreed {
		out.Step = wire.ProxyAgreed
	}
	if out.Valid() {
		p.c.Send(r.hub, out.Append(nil))
	}
}
