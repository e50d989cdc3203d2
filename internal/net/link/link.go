// Package link is the seam between the layers: what transport offers, what a
// session uses, and what the packet loops read. It holds interfaces,
// counters and the table of carriers. A slice handed over is valid until the call
// returns; whoever keeps it copies it. Everything here is safe for concurrent use.
package link

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Network dials and accepts connections. transport implements it over
// sockets, session's tests over memory.
type Network interface {
	// Resolve turns "host:port" into addresses; literals need no resolver.
	Resolve(ctx context.Context, endpoint string) ([]netip.AddrPort, error)
	// Dial opens a connection of one link. Its Binding is final. It authenticates
	// nobody: that is the handshake's work. ErrOff: the link is switched off.
	Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (Conn, error)
	// Accept returns the next connection of any link.
	Accept(ctx context.Context) (Conn, error)
	// Direct returns the direct path to remote, for equal remotes the same while
	// it is used; nil when the carrier is switched off.
	Direct(remote netip.AddrPort) Direct
	// Handle names the receiver of records; call it before the first Dial or
	// Accept.
	Handle(Handler)
}

// A Handler takes what was received. Records is called once per receive, from
// any goroutine, and must not block.
type Handler interface {
	Records(p Path, recs [][]byte)
	// Known reports whether a record id is in use here. A datagram of 42 bytes
	// with an unknown id may be a stateless reset and goes to QUIC.
	Known(id wire.RecordID) bool
	// Unreachable says that the network reported an error about remote. Anybody
	// can forge that: it is a hint to look, no proof.
	Unreachable(remote netip.AddrPort)
}

// A Conn is one QUIC connection or one TCP connection.
type Conn interface {
	Link() wire.Link
	Binding() (kind byte, value [32]byte) // mixed into M1's prologue, SPEC section 5
	Local() netip.AddrPort
	Remote() netip.AddrPort
	Path() Path // carries records on this connection
	OpenStream(ctx context.Context) (Stream, error)
	AcceptStream(ctx context.Context) (Stream, error)
	Done() <-chan struct{}     // closed once the connection has ended
	Err() error                // why, after Done
	Close(reason string) error // idempotent; the peer sees the reason
}

// A Stream is an ordered byte stream on a Conn.
type Stream interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

// A Path is a way to the peer. Send never blocks.
type Path interface {
	Kind() *Kind
	Local() netip.AddrPort
	Remote() netip.AddrPort
	// Room is the largest record in bytes that Send takes at the moment.
	Room() int
	// Send copies or sends all records and returns how many were taken. A
	// shorter count comes with the reason: ErrQueueFull, ErrTooBig or ErrClosed.
	Send(recs *wire.Batch) (int, error)
	// RTT is the carrier's own estimate, 0 if it has none.
	RTT() time.Duration
}

// A Direct is a path of the direct carrier. It belongs to no connection, and
// its room is what its user has proven.
type Direct interface {
	Path
	SetRoom(bytes int)
}

// An AmplificationLimiter is a path with an anti-amplification limit (RFC 9000 8.1):
// what is sent to an address that is not proven is bounded by what came from it, which
// is the path's budget.
type AmplificationLimiter interface {
	// TakeBudget takes bytes off the budget; false, and nothing is taken, if it has less.
	TakeBudget(bytes int) bool
}

// A Plane is the packet side of one peer as its session sees it. The session
// decides; the plane seals, opens and counts.
type Plane interface {
	// Install makes an epoch receivable. With hold, records are kept unopened
	// (at most 64 and 96 KiB) until Release: the peer is not proven yet.
	Install(e *record.Epoch, hold bool) error
	// Ahead says of an epoch that was installed without holding that the peer holds
	// what comes under it until it is proven there. Until a record of the peer has been
	// opened under it only so much leaves as the peer is sure to hold (SPEC 6.4), and
	// the rest waits; then call Use again. Packets that did not wait before are not
	// stopped. Call it before Use.
	Ahead(e *record.Epoch)
	// Release delivers what was held for an epoch and ends the holding.
	Release(e *record.Epoch)
	// Remove ends receiving under an epoch.
	Remove(e *record.Epoch)
	// Use sends packets under e on p from now on, first those that wait. A nil
	// epoch or path makes packets wait (bounded by bytes, count and age).
	Use(e *record.Epoch, p Path)
	Traffic() *Traffic
	// Total is that of Traffic. Of a plane that rests it costs less.
	Total() Moved
	// Expire drops packets that have waited too long. It returns when the next one
	// will have; the zero time if none waits.
	Expire(now time.Time) time.Time
	// Wake makes ready what an awake session needs, and Rest gives it back, but for
	// packets that wait and what was counted. Traffic is another one after either.
	Wake()
	Rest()
	// Close drops what waits and forgets the peer.
	Close()
}

// A Sink is the session as its plane sees it. Its calls copy and return at once.
type Sink interface {
	// Frame is a frame that arrived under e on p.
	Frame(p Path, e *record.Epoch, frame []byte)
	// Opened says that a first record under e has been opened.
	Opened(p Path, e *record.Epoch)
	// Moved says that records come by another path than before.
	Moved(p Path)
	// Waiting says that a packet waits for a path.
	Waiting()
	// Failed says that handling records of the peer met a defect of this program,
	// and was given up.
	Failed()
	// Came says that a packet has come since the session armed Traffic.WatchIn.
	Came()
	// Sent says that packets were sent since the session armed Traffic.Watch.
	Sent()
}
