package session

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/settings"
)

// Settings are the times and bounds of a session, described one by one in the
// table of Descriptors. Zero means the default. They are checked once and never
// changed after.
type Settings = settings.Settings

// A Descriptor describes one field of Settings: package config reads files by it,
// and the table of docs/node.md is made of it. Values are whole numbers,
// nanoseconds if the setting is a duration.
type Descriptor = settings.Descriptor

// Descriptors describe all settings, in the order of Settings' fields.
func Descriptors() []Descriptor { return settings.Descriptors() }

// DefaultSettings are the defaults of all settings.
func DefaultSettings() Settings { return settings.Defaults() }

var defaults = DefaultSettings()

// queueLimits bound the packets of one session that wait for a path.
func queueLimits(s Settings) link.QueueLimits {
	return link.QueueLimits{Bytes: s.QueueBytes, Packets: s.QueuePackets, Age: s.QueueAge}
}
