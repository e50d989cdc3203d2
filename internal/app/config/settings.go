package config

import (
	"strconv"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// Settings are the times and bounds of a session, under [session] for all peers
// and in a [[peer]] for one. Zero means that the file does not say: the default
// of package session.
type Settings struct {
	TTL                time.Duration // ttl, 24h
	RotationWindow     time.Duration // rotation_window, 1h or half the ttl if that is less
	RekeyAfter         time.Duration // rekey_after, 2m, at most 1h
	Heartbeat          time.Duration // heartbeat, 30s
	HeartbeatTolerance int           // heartbeat_tolerance, 3 misses
	HandshakeTimeout   time.Duration // handshake_timeout, 5s
	DegradedTimeout    time.Duration // degraded_timeout, 60s
	SuspendedRetry     time.Duration // suspended_retry, 60s
	Quarantine         time.Duration // quarantine, 60s
	ProbeInterval      time.Duration // probe_interval, 1s: degraded, with something queued
	IdleProbeInterval  time.Duration // idle_probe_interval, 10s: degraded, nothing queued
	QueueBytes         int           // queue_bytes, 1 MiB of packets held without a link
	QueuePackets       int           // queue_packets, 256
	QueueAge           time.Duration // queue_age, 30s
	MessageQueueBytes  int           // message_queue_bytes, 16 MiB
}

const (
	shortest     = 100 * time.Millisecond
	defaultTTL   = 24 * time.Hour
	maxWindow    = time.Hour // the default rotation_window
	maxQueue     = 1 << 30   // bytes
	minQueue     = 64 << 10  // bytes: one super-packet
	maxPackets   = 1 << 16
	maxTolerance = 100
)

// A setting is one key: the field it fills and the bounds of its value. Exactly
// one of duration and count is set.
type setting struct {
	key      string
	duration *time.Duration
	count    *int
	min, max int64 // nanoseconds for a duration
}

// fields ties the keys of the file to the fields of s.
func (s *Settings) fields() []setting {
	const day = 24 * time.Hour
	dur := func(key string, p *time.Duration, min, max time.Duration) setting {
		return setting{key: key, duration: p, min: int64(min), max: int64(max)}
	}
	num := func(key string, p *int, min, max int64) setting {
		return setting{key: key, count: p, min: min, max: max}
	}
	return []setting{
		dur("ttl", &s.TTL, time.Second, 7*day),
		dur("rotation_window", &s.RotationWindow, shortest, day),
		dur("rekey_after", &s.RekeyAfter, time.Second, time.Hour),
		dur("heartbeat", &s.Heartbeat, shortest, time.Hour),
		num("heartbeat_tolerance", &s.HeartbeatTolerance, 1, maxTolerance),
		dur("handshake_timeout", &s.HandshakeTimeout, shortest, 5*time.Minute),
		dur("degraded_timeout", &s.DegradedTimeout, shortest, day),
		dur("suspended_retry", &s.SuspendedRetry, shortest, day),
		dur("quarantine", &s.Quarantine, shortest, day),
		dur("probe_interval", &s.ProbeInterval, shortest, 10*time.Minute),
		dur("idle_probe_interval", &s.IdleProbeInterval, shortest, 10*time.Minute),
		num("queue_bytes", &s.QueueBytes, minQueue, maxQueue),
		num("queue_packets", &s.QueuePackets, 1, maxPackets),
		dur("queue_age", &s.QueueAge, shortest, time.Hour),
		num("message_queue_bytes", &s.MessageQueueBytes, minQueue, maxQueue),
	}
}

// apply sets the settings among the entries and returns the others.
func (s *Settings) apply(r *reader, t *table) (rest []entry, err error) {
	fields := s.fields()
	for _, e := range t.entries {
		f := find(fields, e.key)
		if f == nil {
			rest = append(rest, e)
			continue
		}
		if err := f.set(r, t.name, e); err != nil {
			return nil, err
		}
	}
	return rest, s.checkWindow(r, t)
}

func find(fields []setting, key string) *setting {
	for i := range fields {
		if fields[i].key == key {
			return &fields[i]
		}
	}
	return nil
}

func (f *setting) set(r *reader, table string, e entry) error {
	if f.count != nil {
		n, err := r.integer(table, e, f.min, f.max)
		*f.count = int(n)
		return err
	}
	return f.setDuration(r, table, e)
}

func (f *setting) setDuration(r *reader, table string, e entry) error {
	d, err := time.ParseDuration(e.val.text)
	switch {
	case e.val.kind != unstable.String || err != nil:
		return r.bad(table, e, `must be a duration in quotes, such as "500ms", "30s", "2m" or "24h"`)
	case int64(d) < f.min || int64(d) > f.max:
		return r.bad(table, e, "%s is out of bounds: it must be between %s and %s",
			e.val.text, short(time.Duration(f.min)), short(time.Duration(f.max)))
	}
	*f.duration = d
	return nil
}

// checkWindow holds the full handshake's window inside the session's life. A
// ttl given alone shortens the default window, so that one line is enough.
func (s *Settings) checkWindow(r *reader, t *table) error {
	ttl := s.TTL
	if ttl == 0 {
		ttl = defaultTTL
	}
	if s.RotationWindow < ttl {
		return nil
	}
	for _, e := range t.entries {
		if e.key == "rotation_window" || e.key == "ttl" {
			return r.bad(t.name, e, "the rotation_window of %s must be shorter than the ttl of %s", short(s.RotationWindow), short(ttl))
		}
	}
	return nil
}

// fillWindow is the default rotation_window where ttl is given and it is not.
func (s *Settings) fillWindow() {
	if s.TTL > 0 && s.RotationWindow == 0 {
		s.RotationWindow = min(maxWindow, s.TTL/2)
	}
}

// short writes a duration without the zero units of Duration.String: 2m, 24h.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return d.String()
}
