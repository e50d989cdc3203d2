package paths

import "time"

const (
	// linger is how long a connection that has been replaced stays open, so that
	// what is under way on it still arrives.
	linger = 5 * time.Second
	// standbyLife is how long a μTCP connection outlives the return to QUIC.
	standbyLife = 30 * time.Second
	// maxPerLink is how many connections of one link a session has: the old one and
	// the new one while one replaces the other. Beyond it the oldest goes, so that a
	// peer's handshakes buy no memory. SPEC 6.5.
	maxPerLink = 2
)

// A conn says of a path's connection how long it stays.
type conn struct {
	main    bool      // its handshake won over those of other connections of the link
	closeAt time.Time // zero: it stays
	beat    time.Time // the peer's last heartbeat on it
}

// win makes it the one that stays; lose one that the peer closes soon.
func (c *conn) win()  { c.main = true }
func (c *conn) lose() { c.main = false }

// stay lets it live on; retire ends it at a time, unless one is set.
func (c *conn) stay() { c.closeAt = time.Time{} }
func (c *conn) retire(at time.Time) {
	if c.closeAt.IsZero() {
		c.closeAt = at
	}
}

// prolong moves its end to a later time.
func (c *conn) prolong(at time.Time) { c.closeAt = at }

// heartbeat notes that the peer sends its heartbeats by it.
func (c *conn) heartbeat(now time.Time) { c.beat = now }

// needed is until when the peer may need the connection: its heartbeats come by
// the path that it uses, which is another than ours where one direction is bad.
func (c *conn) needed(every time.Duration) time.Time {
	if !c.main || c.beat.IsZero() {
		return time.Time{}
	}
	return c.beat.Add(every + standbyLife)
}

// surplus is the oldest connection of a link that has too many; nil for none. The
// newest and that of the path in use stay.
func (l list) surplus(newest, using *path) (oldest *path) {
	n := 0
	for _, p := range l {
		if !p.Kind.Conn || p.Kind.Link != newest.Kind.Link || p.through() != newest.through() {
			continue
		}
		if n++; p != newest && p != using && oldest == nil {
			oldest = p
		}
	}
	if n <= maxPerLink {
		return nil
	}
	return oldest
}
