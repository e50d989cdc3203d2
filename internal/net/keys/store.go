package keys

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/rotation"
)

var (
	// ErrGone: the epoch of a handshake has been retired before its proof.
	ErrGone = errors.New("keys: the epoch ended before its proof")
	// ErrNumber: an epoch number is out of the range that rotation allows.
	ErrNumber = errors.New("keys: the peer proposes an epoch number out of range")
	// ErrOtherWon: another handshake with the peer has made the epoch in use.
	ErrOtherWon = errors.New("keys: another handshake with the peer was completed first")
)

// A Session is what a Store asks of the session whose keys it has. The calls come
// from within a call of the Store, in the session's loop.
type Session interface {
	// Path is the path in use; nil without one.
	Path() link.Path
	// Params are our parameters for the handshake of an epoch, with a record id of
	// its own.
	Params(number uint32) (wire.Params, error)
	// InUse says that everything is sent under Store.InUse from now on.
	InUse()
	// Confirm asks for one record under the epoch in use at once, whatever it holds.
	Confirm(now time.Time)
	// FullHandshake asks for a full handshake, unless one is under way.
	FullHandshake(now time.Time)
	// Rotating says whether a rotation is under way, after every event.
	Rotating(on bool, now time.Time)
	// Stopped says that keys have outlived their time. It reports whether the session
	// has called Drop because of that.
	Stopped(why rotation.Reason, now time.Time) (dropped bool)
	// Answers says that resumptions of this id are this session's from now on, or no
	// more.
	Answers(id handshake.ResumeID, on bool)
}

// A Config is what a Store needs. It is not changed.
type Config struct {
	Session  Session
	Self     connect.Self
	Rotation rotation.Config // without Jitter
	Plane    link.Plane      // receives under the epochs
	Messages *msgchan.Keys   // seal and open under them too
	Counts   *Counts         // outlives the store; nil: one of its own
	Log      *slog.Logger
}

// A Store has the keys of one session.
type Store struct {
	Secrets Secrets

	c       Config
	machine *rotation.Machine
	byID    map[uint64]*epoch
	shorts  map[uint64]*short        // rotations, by the epoch that they make
	asked   map[rotation.Message]m1r // that rotation is deciding about
	cur     *epoch                   // sent under; nil: none
	since   time.Time                // when it came into use
	sent    uint64                   // packets sent when rotation was last told
	waiters []waiter
}

// Counts say how often the epoch in use was replaced, and how often a message of a
// rotation was sent again. They are safe for concurrent use.
type Counts struct{ Rotations, Resends atomic.Uint64 }

// New makes a store without epochs.
func New(c Config) *Store {
	c.Rotation.Jitter = jitter
	if c.Counts == nil {
		c.Counts = new(Counts)
	}
	return &Store{c: c, machine: rotation.New(c.Rotation), byID: make(map[uint64]*epoch), shorts: make(map[uint64]*short),
		asked: make(map[rotation.Message]m1r), Secrets: Secrets{ttl: c.Rotation.TTL, answers: c.Session.Answers}}
}

func jitter(most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	return rand.N(most)
}

// InUse is the epoch that everything is sent under; nil for none.
func (x *Store) InUse() *record.Epoch {
	if x.cur == nil {
		return nil
	}
	return x.cur.rec
}

// Number is that of the epoch in use, 0 for none.
func (x *Store) Number() uint32 {
	if x.cur == nil {
		return 0
	}
	return x.cur.rec.Number()
}

// MTU is the inner MTU in bytes that both ends of the epoch in use can take.
func (x *Store) MTU() int {
	if x.cur == nil {
		return 0
	}
	return x.cur.mtu
}

// Epochs is how many epochs are receivable, those of handshakes that are not proven
// yet among them.
func (x *Store) Epochs() int { return len(x.byID) }

// Since is when the epoch in use came into use.
func (x *Store) Since() time.Time { return x.since }

// Counts returns what Config.Counts counts. It is safe for concurrent use.
func (x *Store) Counts() (rotations, resends uint64) {
	return x.c.Counts.Rotations.Load(), x.c.Counts.Resends.Load()
}

// Propose is the epoch number for a handshake that we initiate.
func (x *Store) Propose() uint32 { return x.machine.Propose() }

// NumberFor is the epoch number for a handshake that the peer initiates with a
// proposal. The error is ErrNumber.
func (x *Store) NumberFor(proposal uint32) (uint32, error) {
	number, ok := x.machine.NumberFor(proposal)
	if !ok {
		return 0, ErrNumber
	}
	return number, nil
}

// Deadline is when Tick has work; zero for none.
func (x *Store) Deadline() time.Time { return x.machine.Deadline() }
