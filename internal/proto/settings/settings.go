// Package settings has the times and bounds of a session: one table of what each is,
// its default and its bounds, and the check of what was given. It is pure.
package settings

import (
	"fmt"
	"time"
)

// Settings are the times and bounds of a session, described one by one in the
// table of Descriptors. Zero means the default. They are checked once and never
// changed after.
type Settings struct {
	TTL                time.Duration
	RotationWindow     time.Duration
	RekeyAfter         time.Duration
	Heartbeat          time.Duration
	HeartbeatTolerance int
	HandshakeTimeout   time.Duration
	DegradedTimeout    time.Duration
	SuspendedRetry     time.Duration
	Quarantine         time.Duration
	ProbeInterval      time.Duration
	IdleProbeInterval  time.Duration
	QueueBytes         int
	QueuePackets       int
	QueueAge           time.Duration
	MessageQueueBytes  int
	IdleAfter          time.Duration
}

// Over is s with what is zero taken from base.
func Over(s, base Settings) Settings {
	for i := range descriptors {
		if d := &descriptors[i]; d.Get(&s) == 0 {
			d.Set(&s, d.Get(&base))
		}
	}
	return s
}

// Check refuses settings that no session could keep. It expects none to be zero.
// A program may go beyond the bounds of config files but for that of rekey_after.
func Check(s Settings) error {
	for i := range descriptors {
		if d := &descriptors[i]; d.Get(&s) < 0 {
			return fmt.Errorf("session: %s is negative", d.Key)
		}
	}
	switch {
	case int64(s.RekeyAfter) > descriptor("rekey_after").Max:
		return fmt.Errorf("session: rekey_after is at most 1h, not %v", s.RekeyAfter)
	case s.RotationWindow > s.TTL:
		return fmt.Errorf("session: rotation_window %v is longer than ttl %v", s.RotationWindow, s.TTL)
	}
	return nil
}

// Defaults are the defaults of all settings.
func Defaults() (s Settings) {
	for i := range descriptors {
		descriptors[i].Set(&s, descriptors[i].Default)
	}
	return s
}
