package reach

import (
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/backoff"
	"github.com/libertaria-project/l2tun/internal/base/lograte"
	"github.com/libertaria-project/l2tun/internal/proto/state"
)

const (
	// Failed handshakes are tried again after retryMin, doubling to retryMax.
	retryMin = time.Second
	retryMax = 60 * time.Second
)

// A retry is when a failed or lost session is tried again, and how the attempts
// went since it was established.
type retry struct {
	backoff.Schedule
	begun    time.Time        // of the last try
	silent   int              // attempts in a row that came to no connection of QUIC
	failures lograte.Failures // what the log has of them
}

func newRetry() retry { return retry{Schedule: backoff.Schedule{Min: retryMin, Max: retryMax}} }

// ownPort is how many attempts in a row come from the port that listens.
const ownPort = 2

// wantsNewPort reports whether the next attempt dials from a new port: every other
// one after two failures. An entry of an address translator or a firewall on the
// way may send what comes from the old port nowhere, for as long as anything comes
// from there; and another rule may let the old port pass and no other.
func (r *retry) wantsNewPort() bool { return r.silent >= ownPort && r.silent%2 == 0 }

// level is that of a line about a change of state: attempts at a peer that stays out
// of reach are not announced, and their failures are thinned.
func (r *retry) level(to state.State, reason state.Reason, now time.Time) slog.Level {
	switch {
	case to == state.Failed && r.failures.Failed(string(reason), now):
		return slog.LevelWarn
	case to == state.Established:
		r.failures.Succeeded()
	case to == state.Failed, r.failures.Failing() && (to == state.HandshakeInitiated || to == state.HandshakeReceived):
		return slog.LevelDebug
	}
	return slog.LevelInfo
}
