package settings

import (
	"slices"
	"strconv"
	"time"
)

// A Descriptor describes one field of Settings: package config reads files by it,
// and the table of docs/node.md is made of it. Values are whole numbers,
// nanoseconds if the setting is a duration.
type Descriptor struct {
	Key      string // in config files, and in errors
	Doc      string // what it bounds, one line
	Default  int64
	Min, Max int64 // of what a config file may say
	Off      bool  // 0 may be said too: it switches off what the setting is about

	// The field; exactly one is set.
	duration func(*Settings) *time.Duration
	number   func(*Settings) *int
}

// Bounds that several settings share.
const (
	shortest = 100 * time.Millisecond
	day      = 24 * time.Hour
	minQueue = 64 << 10 // bytes: one super-packet
	maxQueue = 1 << 30
)

var descriptors = []Descriptor{
	lasts("ttl", day, time.Second, 7*day, "life of a full handshake: then another is required", func(s *Settings) *time.Duration { return &s.TTL }),
	lasts("rotation_window", time.Hour, shortest, day, "how long before the end of `ttl` the full handshake starts; shorter than `ttl`, and half of it if that is given and less", func(s *Settings) *time.Duration { return &s.RotationWindow }),
	lasts("rekey_after", 2*time.Minute, time.Second, time.Hour, "a new epoch at least this often", func(s *Settings) *time.Duration { return &s.RekeyAfter }),
	lasts("heartbeat", 30*time.Second, shortest, time.Hour, "sent after this long without traffic", func(s *Settings) *time.Duration { return &s.Heartbeat }),
	counts("heartbeat_tolerance", 3, 1, 100, "heartbeats without an answer before the session is degraded", func(s *Settings) *int { return &s.HeartbeatTolerance }),
	lasts("handshake_timeout", 5*time.Second, shortest, 5*time.Minute, "of one attempt", func(s *Settings) *time.Duration { return &s.HandshakeTimeout }),
	lasts("degraded_timeout", time.Minute, shortest, day, "then a degraded session is suspended", func(s *Settings) *time.Duration { return &s.DegradedTimeout }),
	lasts("suspended_retry", time.Minute, shortest, day, "between attempts while suspended", func(s *Settings) *time.Duration { return &s.SuspendedRetry }),
	lasts("quarantine", time.Minute, shortest, day, "no handshakes with a peer that broke the protocol", func(s *Settings) *time.Duration { return &s.Quarantine }),
	lasts("probe_interval", time.Second, shortest, 10*time.Minute, "between probes while degraded with packets queued", func(s *Settings) *time.Duration { return &s.ProbeInterval }),
	lasts("idle_probe_interval", 10*time.Second, shortest, 10*time.Minute, "the same with none queued", func(s *Settings) *time.Duration { return &s.IdleProbeInterval }),
	counts("queue_bytes", 1<<20, minQueue, maxQueue, "packets that wait for a path, in bytes", func(s *Settings) *int { return &s.QueueBytes }),
	counts("queue_packets", 256, 1, 1<<16, "the same, their number", func(s *Settings) *int { return &s.QueuePackets }),
	lasts("queue_age", 30*time.Second, shortest, time.Hour, "the same, the longest wait", func(s *Settings) *time.Duration { return &s.QueueAge }),
	counts("message_queue_bytes", 16<<20, minQueue, maxQueue, "messages, each direction, in bytes", func(s *Settings) *int { return &s.MessageQueueBytes }),
	{Key: "idle_after", Off: true, Min: int64(time.Second), Max: int64(day), Doc: "a session sleeps after this long without a packet or a message; 0s: never. Not with a peer that has `keep` or `hub`",
		duration: func(s *Settings) *time.Duration { return &s.IdleAfter }},
}

func lasts(key string, normal, least, most time.Duration, doc string, field func(*Settings) *time.Duration) Descriptor {
	return Descriptor{Key: key, Doc: doc, Default: int64(normal), Min: int64(least), Max: int64(most), duration: field}
}

func counts(key string, normal, least, most int64, doc string, field func(*Settings) *int) Descriptor {
	return Descriptor{Key: key, Doc: doc, Default: normal, Min: least, Max: most, number: field}
}

// Descriptors describe all settings, in the order of Settings' fields.
func Descriptors() []Descriptor { return slices.Clone(descriptors) }

// descriptor is that of a key of the table.
func descriptor(key string) *Descriptor {
	return &descriptors[slices.IndexFunc(descriptors, func(d Descriptor) bool { return d.Key == key })]
}

// Duration reports whether the setting is a duration.
func (d *Descriptor) Duration() bool { return d.duration != nil }

// Get is the setting's value in s.
func (d *Descriptor) Get(s *Settings) int64 {
	if d.Duration() {
		return int64(*d.duration(s))
	}
	return int64(*d.number(s))
}

// Set gives the setting in s a value, unchecked.
func (d *Descriptor) Set(s *Settings, value int64) {
	if d.Duration() {
		*d.duration(s) = time.Duration(value)
	} else {
		*d.number(s) = int(value)
	}
}

// Text is a value as config files have it, without quotes: 2m, 24h, 65536.
func (d *Descriptor) Text(value int64) string {
	if !d.Duration() {
		return strconv.FormatInt(value, 10)
	}
	switch t := time.Duration(value); {
	case t >= time.Hour && t%time.Hour == 0:
		return strconv.Itoa(int(t/time.Hour)) + "h"
	case t >= time.Minute && t%time.Minute == 0:
		return strconv.Itoa(int(t/time.Minute)) + "m"
	default:
		return t.String()
	}
}
