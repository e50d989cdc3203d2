package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/base/history"
	"github.com/libertaria-project/l2tun/internal/net/circuit"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/enroll"
	"github.com/libertaria-project/l2tun/internal/net/frames"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/net/slumber"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/settings"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Config is what a Manager is made of. It is checked once and not changed.
type Config struct {
	Identity *did.Identity
	Network  link.Network // transport.Transport, or a test's network
	Resolver did.Resolver // where peers are; nil: nobody's endpoints are known
	Settings Settings     // defaults for every session
	MTU      int          // inner MTU in bytes that we state; 0: wire.DefaultMTU, 1420
	NoAES    bool         // do not state AES instructions, which are looked for; then ChaCha20-Poly1305 is used
	// AcceptsPartial is stated to peers: Planes take packets whose transport
	// checksum is partial.
	AcceptsPartial bool
	Carriers       []Carrier    // that may carry packets; empty: all
	Logger         *slog.Logger // nil: none
	Rand           io.Reader    // nil: crypto/rand

	// ClockSynced says whether the host's clock is known to be right: only then are
	// dates of prekeys stated and looked at (SPEC 5.1). Nil: it is not known.
	ClockSynced func() bool

	// Memory is what is known of peers from earlier. Nil: nothing.
	Memory Memory

	// OnPath is told when a session's path or its room changes: the carrier and
	// the largest record in bytes. Called by the session's loop; it must not block.
	OnPath func(peer did.DID, c Carrier, room int)

	// Relay is this node's side as a hub. Nil: it is none.
	Relay Relay
	// Networks owns the networks of this node. Nil: it is in none, and says nothing of any.
	Networks Networks
	// Table is what Planes belong to: by it circuits are taken. Nil, with Planes: none.
	Table Table
	// Addresses are where this node may be reached.
	Addresses

	// Joins answers nodes that ask to become peers, SPEC 6.11. Nil: all are refused.
	Joins Joins

	// Planes makes the packet side of a peer. Nil: packets are not carried, and
	// the manager takes records from Network itself. A caller with planes of its
	// own gives Network their handler.
	Planes func(sink link.Sink, limits link.QueueLimits) link.Plane
}

// Addresses is what the host says of where this node is.
type Addresses = meeting.Addresses

// Joins decides about nodes that ask to become peers.
type Joins = enroll.Joins

// A Memory keeps where peers were, and their keys, from one process to the next.
type Memory = connect.Memory

// A Manager owns the sessions of one identity.
type Manager struct {
	c         Config
	log       *slog.Logger
	self      connect.Self
	states    wire.Params // what it states in every handshake
	board     *meeting.Board
	circuits  *circuit.Circuits // nil: none
	sleepers  *slumber.Sleepers
	beats     *pathset.Beats
	responder *connect.Responder
	history   *history.History[did.DID, Transition]

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loop and one server a connection
	guard  *guard.Guard
	faults atomic.Uint64 // of strangers

	mu       sync.Mutex
	sessions map[did.DID]*Session
	usual    *Settings                       // those of the newest session: most have the same
	resumes  map[handshake.ResumeID]*Session // whom a resumption secret belongs to
	closed   bool
}

// New starts a manager. It accepts connections until Close.
func New(c Config) (*Manager, error) {
	if c.Identity == nil || c.Network == nil {
		return nil, errors.New("session: a manager needs an identity and a network")
	}
	c = c.withDefaults()
	if err := settings.Check(c.Settings); err != nil {
		return nil, err
	}
	m := &Manager{c: c, log: c.Logger, history: history.New[did.DID, Transition](historySize, historyAll), guard: guard.New(c.Logger), sessions: make(map[did.DID]*Session),
		resumes: make(map[handshake.ResumeID]*Session), self: connect.Self{Identity: c.Identity, Rand: c.Rand, ClockSynced: c.ClockSynced, Memory: c.Memory}}
	m.states = wire.Params{AES: record.HasAES() && !c.NoAES, AcceptsPartial: c.AcceptsPartial, Circuits: true, Networks: c.Networks != nil, MTU: uint16(c.MTU), Minor: wire.Minor}
	var err error
	if m.responder, err = connect.NewResponder(m.responding()); err != nil {
		return nil, fmt.Errorf("session: make a prekey: %w", err)
	}
	if c.Planes == nil {
		planes := new(frames.Planes)
		m.c.Planes, m.c.Table = planes.New, planes
		c.Network.Handle(planes)
	}
	m.meets()
	m.beats = pathset.NewBeats(time.Now())
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.sleepers = slumber.NewSleepers(slumber.Node{Self: c.Identity.DID().Digest(), Resolver: c.Resolver, Guard: m.guard, Send: m.SendFrame,
		Addresses: c.Addresses})
	m.wg.Go(m.accept)
	m.wg.Go(func() { m.responder.Prekeys().Keep(m.ctx) })
	return m, nil
}

func (c Config) withDefaults() Config {
	c.Settings = settings.Over(c.Settings, defaults)
	if c.MTU == 0 {
		c.MTU = wire.DefaultMTU
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.OnPath == nil {
		c.OnPath = func(did.DID, *link.Kind, int) {}
	}
	if c.ClockSynced == nil {
		c.ClockSynced = func() bool { return false }
	}
	if c.Resolver == nil {
		c.Resolver = new(did.Static)
	}
	return c
}

// responding is how this node answers handshakes.
func (m *Manager) responding() connect.Config {
	return connect.Config{Self: m.self, Logger: m.log, Secret: m.secretFor,
		Join: enroll.NewDesk(m.self, m.c.Joins).Serve,
		Find: func(peer did.DID) (connect.Session, error) {
			s, err := m.Session(peer)
			if err != nil {
				return nil, err
			}
			return answering{s}, nil
		}}
}

// A Peer is what the caller knows of a peer. Zero settings are the manager's.
type Peer struct {
	DID      did.DID
	Name     string // for people; may be empty
	Settings Settings
	Keep     bool // establish without being asked, and again for ever
	Hub      bool // this node meets others by it
	Awake    bool // never sleeps, whatever Settings.IdleAfter says
	Member   bool // of a network, and not of the config: to a hub that is another standing
}

// Add makes a session for a peer. With Keep it starts at once; without, it costs next to
// nothing until something wants it.
func (m *Manager) Add(p Peer) (*Session, error) {
	if p.DID == m.c.Identity.DID() {
		return nil, ErrSelf
	}
	p.Settings = settings.Over(p.Settings, m.c.Settings)
	if err := settings.Check(p.Settings); err != nil {
		return nil, err
	}
	incarnation, err := m.self.Uint64()
	if err != nil {
		return nil, fmt.Errorf("session: draw an incarnation: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	if m.sessions[p.DID] != nil {
		return nil, ErrExists
	}
	s := newSession(m, p, incarnation)
	m.sessions[p.DID] = s
	if p.Keep {
		s.wake(wakeKept)
	}
	return s, nil
}

// Remove closes a peer's session and forgets the peer.
func (m *Manager) Remove(peer did.DID) error {
	m.mu.Lock()
	s := m.sessions[peer]
	delete(m.sessions, peer)
	m.mu.Unlock()
	m.responder.Forget(peer)
	if s == nil {
		return ErrUnknownPeer
	}
	err := s.Close()
	m.board.Forget(peer.Digest()) // last: the session may be one with a hub, and tells the board of its end
	return err
}

// Session returns the session with a configured peer.
func (m *Manager) Session(peer did.DID) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch s := m.sessions[peer]; {
	case m.closed:
		return nil, ErrClosed
	case s == nil:
		return nil, ErrUnknownPeer
	default:
		return s, nil
	}
}

// Sessions returns all sessions, ordered by DID.
func (m *Manager) Sessions() []*Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedByDID(m.sessions)
}

// Establish starts a session with a peer, unless it has one, and waits until it
// is established. A peer that was not added is added when the resolver knows it,
// as the options say. The error is ErrUnknownPeer; ErrExists for options to a
// session that is there; one that wraps ErrFailed and names the reason; or the
// context's: the session goes on trying if the peer is kept.
func (m *Manager) Establish(ctx context.Context, peer did.DID, opts ...Option) (*Session, error) {
	s, err := m.Session(peer)
	switch {
	case errors.Is(err, ErrUnknownPeer):
		s, err = m.addResolved(ctx, peer, opts)
	case err == nil && len(opts) > 0:
		err = ErrExists
	}
	if err != nil {
		return nil, err
	}
	return s, s.establish(ctx)
}

// addResolved adds a peer that the resolver knows.
func (m *Manager) addResolved(ctx context.Context, peer did.DID, opts []Option) (*Session, error) {
	if _, err := m.c.Resolver.Resolve(ctx, peer); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknownPeer, err)
	}
	p := Peer{DID: peer}
	for _, o := range opts {
		o(&p)
	}
	s, err := m.Add(p)
	if errors.Is(err, ErrExists) { // added by another call meanwhile
		return m.Session(peer)
	}
	return s, err
}

// An Option says how Establish makes a session.
type Option func(*Peer)

// WithSettings sets times and bounds; zero ones are the manager's.
func WithSettings(s Settings) Option { return func(p *Peer) { p.Settings = s } }

// WithTTL sets the time after which a full handshake is required.
func WithTTL(d time.Duration) Option { return func(p *Peer) { p.Settings.TTL = d } }

// WithHeartbeat sets the time without activity after which a heartbeat is sent.
func WithHeartbeat(d time.Duration) Option { return func(p *Peer) { p.Settings.Heartbeat = d } }

// WithName names the peer for people.
func WithName(name string) Option { return func(p *Peer) { p.Name = name } }

// Kept makes the session start again for ever, as a node's do.
func Kept() Option { return func(p *Peer) { p.Keep = true } }

// History returns the newest transitions of all sessions, oldest first.
func (m *Manager) History() []Transition { return m.history.All() }

// Watch begins at the oldest transition kept.
func (m *Manager) Watch() *Watch { return &Watch{m.history.Reader(m.ctx.Done())} }

// Close closes all sessions, telling the peers, and waits for every goroutine.
// The Network is the caller's to close, after this.
func (m *Manager) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		m.wg.Wait()
		return nil
	}
	m.closed = true
	sessions := sortedByDID(m.sessions)
	m.mu.Unlock()

	var wg sync.WaitGroup
	for _, s := range sessions {
		wg.Go(func() { s.Close() })
	}
	wg.Wait()
	m.sleepers.Close()
	m.cancel() // ends accept and, through it, every half-open handshake
	m.wg.Wait()
	m.responder.Prekeys().Erase()
	return nil
}

// OldCallers are the addresses from which nodes of version 0.1.0 have asked for a
// session within the last hour, the newest last, at most 8.
func (m *Manager) OldCallers() []netip.Addr { return m.responder.OldCallers() }

// protect is Session.protect for what no session owns yet.
func (m *Manager) protect(where string, f func()) bool {
	if m.guard.Do(where, f) {
		return true
	}
	m.faults.Add(1)
	return false
}

// Faults counts defects of this program that were met in handling what strangers
// sent, and from which it has recovered.
func (m *Manager) Faults() uint64 { return m.faults.Load() }
