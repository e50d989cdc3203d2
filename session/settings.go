package session

import (
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
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
	QueueBytes         int           // default 1 MiB of packets that wait for a path
	QueuePackets       int           // default 256
	QueueAge           time.Duration // default 30 s
	MessageQueueBytes  int           // default 16 MiB of messages, each direction; at least MaxMessage
}

// defaults are those of docs/node.md 8.
var defaults = Settings{
	TTL: 24 * time.Hour, RotationWindow: time.Hour, RekeyAfter: 2 * time.Minute,
	Heartbeat: 30 * time.Second, HeartbeatTolerance: 3, HandshakeTimeout: 5 * time.Second,
	DegradedTimeout: time.Minute, SuspendedRetry: time.Minute, Quarantine: time.Minute,
	ProbeInterval: time.Second, IdleProbeInterval: 10 * time.Second,
	QueueBytes: 1 << 20, QueuePackets: 256, QueueAge: 30 * time.Second, MessageQueueBytes: 16 << 20,
}

const (
	// heartbeatAnswer is how soon a heartbeat's answer is due.
	heartbeatAnswer = 2 * time.Second
	// Failed handshakes are tried again after retryMin, doubling to retryMax.
	retryMin = time.Second
	retryMax = 60 * time.Second
)

// A field is one setting under its name in config files and messages.
type field struct {
	name string
	time *time.Duration
	num  *int
}

func (s *Settings) fields() []field {
	return []field{
		{name: "ttl", time: &s.TTL}, {name: "rotation_window", time: &s.RotationWindow},
		{name: "rekey_after", time: &s.RekeyAfter}, {name: "heartbeat", time: &s.Heartbeat},
		{name: "heartbeat_tolerance", num: &s.HeartbeatTolerance},
		{name: "handshake_timeout", time: &s.HandshakeTimeout}, {name: "degraded_timeout", time: &s.DegradedTimeout},
		{name: "suspended_retry", time: &s.SuspendedRetry}, {name: "quarantine", time: &s.Quarantine},
		{name: "probe_interval", time: &s.ProbeInterval}, {name: "idle_probe_interval", time: &s.IdleProbeInterval},
		{name: "queue_bytes", num: &s.QueueBytes}, {name: "queue_packets", num: &s.QueuePackets},
		{name: "queue_age", time: &s.QueueAge}, {name: "message_queue_bytes", num: &s.MessageQueueBytes},
	}
}

// over fills what is zero in s from base.
func (s Settings) over(base Settings) Settings {
	from := base.fields()
	for i, f := range s.fields() {
		switch {
		case f.time != nil && *f.time == 0:
			*f.time = *from[i].time
		case f.num != nil && *f.num == 0:
			*f.num = *from[i].num
		}
	}
	return s
}

// check refuses settings that no session could keep. It expects none to be zero.
func (s Settings) check() error {
	for _, f := range s.fields() {
		if f.time != nil && *f.time < 0 || f.num != nil && *f.num < 0 {
			return fmt.Errorf("session: %s is negative", f.name)
		}
	}
	switch {
	case s.RekeyAfter > time.Hour:
		return fmt.Errorf("session: rekey_after is at most 1h, not %v", s.RekeyAfter)
	case s.RotationWindow > s.TTL:
		return fmt.Errorf("session: rotation_window %v is longer than ttl %v", s.RotationWindow, s.TTL)
	}
	return nil
}

func (s Settings) queue() link.QueueLimits {
	return link.QueueLimits{Bytes: s.QueueBytes, Packets: s.QueuePackets, Age: s.QueueAge}
}
