package paths

import (
	"slices"
	"time"
)

// A Config is fixed for the life of a machine.
type Config struct {
	// Kinds may carry packets here. Paths of other kinds still make handshakes,
	// carry messages and show addresses.
	Kinds []Kind
	// Heartbeat is how long nothing is heard before a heartbeat leaves.
	Heartbeat time.Duration
	// Tolerance is how many unanswered heartbeats in a row lose a path.
	Tolerance int
	// Caller says that this end stays the caller of a meeting when both ask: its DID
	// has the smaller digest.
	Caller bool
	// Sprayed is when the newest spray with the peer began, of a machine before; zero:
	// there was none.
	Sprayed time.Time
	// ProbeInterval is the gap between probes of a session that is out of reach,
	// while packets wait; IdleProbeInterval the same while none do.
	ProbeInterval, IdleProbeInterval time.Duration
}

// allowed reports whether packets may travel on a path. A connection through a
// circuit carries streams alone: it shares its number space with other ones.
func (c *Config) allowed(p *path) bool {
	return !p.through() && slices.ContainsFunc(c.Kinds, func(x Kind) bool { return x.Name == p.Kind.Name })
}

// links are what can be dialled, in the order of Kinds.
func (c *Config) links() (links []Link) {
	for _, k := range c.Kinds {
		if k.Link != "" && !slices.Contains(links, k.Link) {
			links = append(links, k.Link)
		}
	}
	return links
}
