package session

import (
	"fmt"
	"time"
)

// Settings are the times and bounds of a session. Zero means the default.
// They are checked once and never changed after.
type Settings struct {
	TTL                time.Duration // default 24 h: then a full handshake is required
	RotationWindow     time.Duration // default 1 h: the full handshake starts this long before ttl ends
	RekeyAfter         time.Duration // default 2 min, at most 1 h: a new epoch at least this often
	Heartbeat          time.Duration // default 30 s without activity
	HeartbeatTolerance int           // default 3 misses before the session is degraded
	HandshakeTimeout   time.Duration // default 5 s
	DegradedTimeout    time.Duration // default 60 s: then suspended
	SuspendedRetry     time.Duration // default 60 s between attempts while suspended
	Quarantine         time.Duration // default 60 s
	ProbeInterval      time.Duration // default 1 s: probes while degraded with something queued
	IdleProbeInterval  time.Duration // default 10 s: probes while degraded with nothing queued
}

// heartbeatAnswer is how soon a heartbeat's answer is due (spec-018).
const heartbeatAnswer = 2 * time.Second

const (
	retryMin = time.Second
	retryMax = 60 * time.Second
)

func (s Settings) withDefaults() Settings {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&s.TTL, 24 * time.Hour}, {&s.RotationWindow, time.Hour}, {&s.RekeyAfter, 2 * time.Minute},
		{&s.Heartbeat, 30 * time.Second}, {&s.HandshakeTimeout, 5 * time.Second}, {&s.DegradedTimeout, time.Minute},
		{&s.SuspendedRetry, time.Minute}, {&s.Quarantine, time.Minute}, {&s.ProbeInterval, time.Second},
		{&s.IdleProbeInterval, 10 * time.Second},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
	}
	if s.HeartbeatTolerance == 0 {
		s.HeartbeatTolerance = 3
	}
	return s
}

// check refuses settings that no session could keep. It expects defaults filled in.
func (s Settings) check() error {
	for name, d := range map[string]time.Duration{"ttl": s.TTL, "rotation_window": s.RotationWindow,
		"rekey_after": s.RekeyAfter, "heartbeat": s.Heartbeat, "handshake_timeout": s.HandshakeTimeout,
		"degraded_timeout": s.DegradedTimeout, "suspended_retry": s.SuspendedRetry, "quarantine": s.Quarantine,
		"probe_interval": s.ProbeInterval, "idle_probe_interval": s.IdleProbeInterval} {
		if d < 0 {
			return fmt.Errorf("session: %s is negative: %v", name, d)
		}
	}
	switch {
	case s.RekeyAfter > time.Hour:
		return fmt.Errorf("session: rekey_after is at most 1h, not %v", s.RekeyAfter)
	case s.RotationWindow > s.TTL:
		return fmt.Errorf("session: rotation_window %v is longer than ttl %v", s.RotationWindow, s.TTL)
	case s.HeartbeatTolerance < 0:
		return fmt.Errorf("session: heartbeat_tolerance is negative: %d", s.HeartbeatTolerance)
	}
	return nil
}
