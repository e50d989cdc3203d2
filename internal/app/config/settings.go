package config

import (
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/session"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Settings are the times and bounds of a session, under [session] for all peers
// and in a [[peer]] for one. Zero means that the file does not say: the default.
// Keys, bounds and defaults are those of session.Descriptors.
type Settings = session.Settings

// apply sets the settings among the entries.
func apply(s *Settings, r *reader, t *table) error {
	for _, e := range t.entries {
		d := r.settings[e.key]
		if d == nil {
			continue
		}
		value, err := settingOf(d, r, t.name, e)
		if err != nil {
			return err
		}
		d.Set(s, value)
	}
	return checkWindow(s, r, t)
}

// settingOf is the value of an entry, within the bounds of its setting.
func settingOf(d *session.Descriptor, r *reader, table string, e entry) (int64, error) {
	if !d.Duration() {
		return r.integer(table, e, d.Min, d.Max)
	}
	value, err := time.ParseDuration(e.val.text)
	switch {
	case e.val.kind != unstable.String || err != nil:
		return 0, r.bad(table, e, `must be a duration in quotes, such as "500ms", "30s", "2m" or "24h"`)
	case value == 0 && d.Off:
		return 0, nil
	case d.Off && (int64(value) < d.Min || int64(value) > d.Max):
		return 0, r.bad(table, e, "%s is out of bounds: it must be 0s or between %s and %s", e.val.text, d.Text(d.Min), d.Text(d.Max))
	case int64(value) < d.Min || int64(value) > d.Max:
		return 0, r.bad(table, e, "%s is out of bounds: it must be between %s and %s", e.val.text, d.Text(d.Min), d.Text(d.Max))
	}
	return int64(value), nil
}

// checkWindow holds the full handshake's window inside the session's life. A
// ttl given alone shortens the default window, so that one line is enough.
func checkWindow(s *Settings, r *reader, t *table) error {
	ttl := s.TTL
	if ttl == 0 {
		ttl = session.DefaultSettings().TTL
	}
	if s.RotationWindow < ttl {
		return nil
	}
	for _, e := range t.entries {
		if e.key == "rotation_window" || e.key == "ttl" {
			return r.bad(t.name, e, "the rotation_window of %s must be shorter than the ttl of %s", text(s.RotationWindow), text(ttl))
		}
	}
	return nil
}

// fillWindow is the default rotation_window where ttl is given and it is not.
func fillWindow(s *Settings) {
	if s.TTL > 0 && s.RotationWindow == 0 {
		s.RotationWindow = min(session.DefaultSettings().RotationWindow, s.TTL/2)
	}
}

// text writes a duration as files have it: 2m, 24h.
func text(d time.Duration) string { return described("ttl").Text(int64(d)) }

// usual is the default of a duration as files have it.
func usual(key string) string {
	d := described(key)
	return quote(d.Text(d.Default))
}

func described(key string) *session.Descriptor {
	all := session.Descriptors()
	return &all[slices.IndexFunc(all, func(d session.Descriptor) bool { return d.Key == key })]
}
