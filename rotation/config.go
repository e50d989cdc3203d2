package rotation

import (
	"cmp"
	"time"
)

// Times that are not settings (SPEC "Rotation").
const (
	// Overdue is how long an epoch may live beyond RekeyAfter: its hard stop.
	Overdue = 180 * time.Second
	// Grace is how long older epochs are received after the first record under
	// a newer one.
	Grace = 60 * time.Second

	roleDelay   = 10 * time.Second       // the responder of an epoch lets the initiator go first
	rekeyJitter = 5 * time.Second        // spreads many peers
	idleMargin  = 60 * time.Second       // an unused epoch is replaced this long before its hard stop
	resendFirst = 250 * time.Millisecond // then doubled
	resendCap   = 5 * time.Second
	retryFirst  = time.Second // after a failed attempt, then doubled
	retryCap    = 60 * time.Second
	answerGap   = 200 * time.Millisecond // between two answers to new attempts
	patience    = 30 * time.Second       // for an attempt of the peer that we answered
	fullProof   = 5 * time.Second        // a full handshake of ours unconfirmed for so long is repeated
	fullFirst   = 10 * time.Second       // between two requests for a full handshake, then doubled
	fullCap     = 5 * time.Minute
	fullJitter  = 5 * time.Minute

	maxEpochs = 3
)

// ShortLimit is the age of the last full handshake from which on there is no
// short mode, neither rotation nor resumption: it alone authenticates against who
// breaks X25519 and has stolen a secret.
const ShortLimit = 2 * time.Hour

// maxStep is how far a peer's number may be ahead of ours, so that nobody uses
// them up at once: four years of rotation.
const maxStep = 1 << 20

// MaxNumber is the largest epoch number: one rotation a second for 68 years. A
// peer that proposes more is not honest.
const MaxNumber = 1 << 31

// Config is fixed for the life of a machine. Zero durations mean the defaults.
type Config struct {
	// Smaller says that our DID digest is smaller than the peer's, bytewise: in
	// a collision our attempt wins.
	Smaller bool
	// RekeyAfter is the age at which an epoch under which packets were sent is
	// replaced. Default 2 min.
	RekeyAfter time.Duration
	// TTL is the age of the last full handshake at which the session expires.
	// Default 24 h.
	TTL time.Duration
	// RotationWindow before the end of TTL a full handshake is started. Default
	// 1 h; at most half of TTL.
	RotationWindow time.Duration
	// HealEvery is the time between full handshakes inside a session, which end
	// what an active thief of keys can do. Default 1 h.
	HealEvery time.Duration
	// Jitter returns a random duration in [0, max). Nil means none.
	Jitter func(max time.Duration) time.Duration
	// Slot returns a time at which other sessions of the node rotate too, less than
	// rekeyJitter after due, to be used in place of jitter; zero: there is none. Nil means
	// none.
	Slot func(due time.Time) time.Time
}

func (c Config) withDefaults() Config {
	c.RekeyAfter = cmp.Or(c.RekeyAfter, 2*time.Minute)
	c.TTL = cmp.Or(c.TTL, 24*time.Hour)
	c.RotationWindow = min(cmp.Or(c.RotationWindow, time.Hour), c.TTL/2)
	c.HealEvery = cmp.Or(c.HealEvery, time.Hour)
	if c.Jitter == nil {
		c.Jitter = func(time.Duration) time.Duration { return 0 }
	}
	if c.Slot == nil {
		c.Slot = func(time.Time) time.Time { return time.Time{} }
	}
	return c
}

// hardStop is the age at which nothing is sent or received under an epoch.
func (c *Config) hardStop() time.Duration { return c.RekeyAfter + Overdue }

// rekeyAt is when an epoch that is born now is replaced.
func (c *Config) rekeyAt(now time.Time) time.Time {
	due := now.Add(c.RekeyAfter)
	if at := c.Slot(due); !at.IsZero() {
		return at
	}
	return due.Add(c.Jitter(rekeyJitter))
}

// fullAge is the age of the last full handshake at which the next one starts.
func (c *Config) fullAge() time.Duration { return min(c.HealEvery, c.TTL-c.RotationWindow) }
