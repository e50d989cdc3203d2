package node

import (
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/session"
)

// settings are a config file's, as package session takes them. Zero stays zero:
// session knows the defaults.
func settings(c config.Settings) session.Settings {
	return session.Settings{
		TTL:                c.TTL,
		RotationWindow:     c.RotationWindow,
		RekeyAfter:         c.RekeyAfter,
		Heartbeat:          c.Heartbeat,
		HeartbeatTolerance: c.HeartbeatTolerance,
		HandshakeTimeout:   c.HandshakeTimeout,
		DegradedTimeout:    c.DegradedTimeout,
		SuspendedRetry:     c.SuspendedRetry,
		Quarantine:         c.Quarantine,
		ProbeInterval:      c.ProbeInterval,
		IdleProbeInterval:  c.IdleProbeInterval,
		QueueBytes:         c.QueueBytes,
		QueuePackets:       c.QueuePackets,
		QueueAge:           c.QueueAge,
		MessageQueueBytes:  c.MessageQueueBytes,
	}
}
