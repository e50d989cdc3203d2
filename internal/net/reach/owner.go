package reach

import (
	"context"
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/keys"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/pathset"
	"github.com/libertaria-project/l2tun/internal/proto/state"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// An Owner is what Attempts ask of their session. All but Tell and Call come from its loop.
type Owner interface {
	// Facts are what decides what is tried, as they are now.
	Facts() Facts
	// Event applies an event to the state, and reports whether the state takes it.
	Event(e state.Event, now time.Time) bool
	// Admit reports whether the session, which has no keys, may begin an attempt now. Else
	// it is queued, and Attempts are called once it is admitted.
	Admit() bool
	// Unreached says why a session that keeps its state has not come back.
	Unreached(why state.Reason)
	// Statement are our parameters for the handshake of an epoch, without the record id.
	Statement(number uint32) wire.Params
	// Proven takes over what a handshake has proven. With an error M3 does not leave.
	Proven(p *connect.Proof, now time.Time) error
	// Counted counts a handshake that failed.
	Counted(why state.Reason)
	// Tell runs f in the loop. It does not wait.
	Tell(f func(now time.Time))
	// Call runs f in the loop and returns its error, or one that says that the loop has ended.
	Call(f func(now time.Time) error) error
	// Go runs work in a goroutine of its own. Its context ends with the loop, after a time,
	// or by cancel.
	Go(timeout time.Duration, work func(ctx context.Context)) (cancel context.CancelFunc)
}

// Facts are what a session knows of itself.
type Facts struct {
	State    state.State
	Reason   state.Reason // of the last failure
	Keep     bool         // establish without being asked, and again for ever
	HalfOpen bool         // it answers a handshake that is not proven yet
	Awaited  bool         // the peer is a hub, and other sessions wait for it
	Waits    bool         // it is queued, and called once it is admitted
}

// A Config is what Attempts are made of. It is not changed.
type Config struct {
	Owner    Owner
	Self     connect.Self
	Peer     did.DID
	Network  link.Network
	Resolver did.Resolver  // of the peer's endpoints
	Links    []wire.Link   // that a session without paths is dialled over
	Timeout  time.Duration // of one attempt
	Keys     *keys.Store
	Paths    *pathset.Set
	// Protect runs what handles something of the peer and reports false if that met a
	// defect of this program.
	Protect func(where string, f func()) bool
	Log     *slog.Logger
}
