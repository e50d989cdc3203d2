package session

import (
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
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
}

const (
	// Failed handshakes are tried again after retryMin, doubling to retryMax.
	retryMin = time.Second
	retryMax = 60 * time.Second
)

// over fills what is zero in s from base.
func (s Settings) over(base Settings) Settings {
	for i := range descriptors {
		if d := &descriptors[i]; d.Get(&s) == 0 {
			d.Set(&s, d.Get(&base))
		}
	}
	return s
}

// check refuses settings that no session could keep. It expects none to be zero.
// A program may go beyond the bounds of config files but for that of rekey_after.
func (s Settings) check() error {
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

func (s Settings) queue() link.QueueLimits {
	return link.QueueLimits{Bytes: s.QueueBytes, Packets: s.QueuePackets, Age: s.QueueAge}
}
