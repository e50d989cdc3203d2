package udp

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// freshRoom is the room of a path about which nothing is proven.
	freshRoom = wire.SafeRecord
	// plainFor is how long a path is sent on without segmentation offload after
	// the kernel has refused it there.
	plainFor = time.Minute
)

// A directPath carries each record in one UDP datagram of its own. Send makes the
// system call itself and shares nothing that is locked meanwhile. It does not
// hold records to Room: a probe for a larger room is larger than it.
type directPath struct {
	d      *directs
	remote netip.AddrPort
	name   sockaddr // remote in the kernel's form
	slot   int      // in directs.ring, while it is there; guarded by directs.mu
	room   atomic.Int64
	source atomic.Pointer[source]
	plain  atomic.Int64 // link.Stamp until when runs leave packet by packet; 0: never
	down   atomic.Bool  // the last send was lost
	used   atomic.Bool  // see directs
	budget atomic.Int64 // of the anti-amplification limit, bytes, at most maxBudget
}

var (
	_ link.Direct               = (*directPath)(nil)
	_ link.Forwarder            = (*directPath)(nil)
	_ link.AmplificationLimiter = (*directPath)(nil)
)

// A source is the address of ours that the peer sends to. It does not change.
type source struct {
	at      localAddr
	control controlMessage
}

func (p *directPath) Kind() *link.Kind       { return link.KindDirect }
func (p *directPath) Remote() netip.AddrPort { return p.remote }
func (p *directPath) Room() int              { return int(p.room.Load()) }
func (p *directPath) RTT() time.Duration     { return 0 }

// SetRoom says what has been proven. It also tries segmentation again.
func (p *directPath) SetRoom(bytes int) {
	p.use()
	p.room.Store(int64(bytes))
	p.plain.Store(0)
}

// Local is where the peer's newest record arrived, which is also what Send uses
// as its source; before the first one the address of the socket.
func (p *directPath) Local() netip.AddrPort {
	if s := p.source.Load(); s != nil {
		return netip.AddrPortFrom(s.at.addr, p.d.local.Port())
	}
	return p.d.local
}

// Send hands all records to the kernel, in as few calls as it takes. Errors:
// link.ErrQueueFull when the socket is full, link.ErrTooBig when the record is
// larger than the local link, link.ErrClosed. That the peer cannot be reached is
// none, because it passes: such records are counted and a hint is given.
func (p *directPath) Send(recs *wire.Batch) (int, error) {
	if recs.Len() == 0 {
		return 0, nil
	}
	p.use()
	n, err := p.d.out.send(p, recs)
	switch err {
	case link.ErrQueueFull:
		p.d.count.Full.Add(uint64(recs.Len() - n))
	case link.ErrTooBig:
		p.d.count.TooBig.Add(1)
	}
	return n, err
}

// Forward sends circuit datagrams as Send does records. What is refused is the
// caller's to count.
func (p *directPath) Forward(datagrams *wire.Batch) (int, error) {
	if datagrams.Len() == 0 {
		return 0, nil
	}
	p.use()
	return p.d.out.send(p, datagrams)
}

func (p *directPath) use() {
	if !p.used.Load() {
		p.d.keep(p)
	}
}

// maxBudget is enough for the probes that an address gets before it answers.
const maxBudget = 4 << 10

// TakeBudget implements link.AmplificationLimiter.
func (p *directPath) TakeBudget(bytes int) bool {
	for {
		has := p.budget.Load()
		if has < int64(bytes) {
			return false
		}
		if p.budget.CompareAndSwap(has, has-int64(bytes)) {
			return true
		}
	}
}

// arrived notes where a record of this path's remote came in, and its size.
func (p *directPath) arrived(at localAddr, bytes int) {
	if p.budget.Load() < maxBudget { // soon full, and then no write a packet
		p.budget.Add(int64(bytes))
	}
	if s := p.source.Load(); at.addr.IsValid() && (s == nil || s.at != at) {
		p.source.Store(&source{at: at, control: controlOf(at)})
	}
}

// forgetSource drops a source that has brought an error; its address may be gone.
func (p *directPath) forgetSource() bool {
	s := p.source.Load()
	return s != nil && p.source.CompareAndSwap(s, nil)
}

// ForgetLocal lets the system choose the source until the peer is heard again.
func (p *directPath) ForgetLocal() { p.forgetSource() }

// unreachable counts records that were lost because there is no route to the peer.
func (p *directPath) unreachable(records int) {
	p.down.Store(true)
	p.d.count.Lost.Add(uint64(records))
	p.d.hints.note(p.remote, time.Now())
}

// segments reports whether the kernel may cut a run into datagrams.
func (p *directPath) segments() bool {
	until := p.plain.Load()
	return p.d.segment && (until == 0 || link.Stamp(time.Now()) > until)
}

// refused ends segmentation on this path for a while.
func (p *directPath) refused() { p.plain.Store(link.Stamp(time.Now().Add(plainFor))) }

// runOf is the run of records that starts at element from: of one size, of which
// the last may be shorter, as many as one call with segments takes. It returns
// how many and their bytes.
func runOf(recs *wire.Batch, from int, segment bool) (n int, bytes []byte) {
	first := recs.At(from)
	n, size := 1, len(first)
	start := recs.Ends[from] - size
	end := recs.Ends[from]
	for i := from + 1; segment && size > 0 && i < recs.Len() && n < MaxRunPackets; i++ {
		next := recs.Ends[i] - end
		if next > size || next == 0 || recs.Ends[i]-start > MaxRunBytes {
			break
		}
		end = recs.Ends[i]
		if n++; next < size {
			break
		}
	}
	return n, recs.Buf[start:end]
}
