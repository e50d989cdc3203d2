package session

import (
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// Prefer makes this end send by one carrier ("direct", "datagram", "utcp")
// whenever a path of it is proven and answers, whatever its rank, until it is
// called again; "" goes back to the best one. Leaving a path that is lost, and
// what the peer sends by, stay as they are. The error says that there is no such
// carrier or that it is switched off, or is ErrClosed.
func (s *Session) Prefer(carrier string) error {
	if carrier == "" {
		return s.call(func(now time.Time) error { return s.setPreferred(nil, now) })
	}
	c, err := link.ParseKind(carrier)
	if err != nil {
		return err
	}
	if !s.allowed(c) {
		return fmt.Errorf("%w: %s", link.ErrOff, c)
	}
	return s.call(func(now time.Time) error { return s.setPreferred(c, now) })
}

func (s *Session) setPreferred(c *link.Kind, now time.Time) error {
	s.preferred = c
	if s.state == Established || s.state == Rotating {
		s.spareAt = time.Time{} // it was asked for
		s.choose(now)
		s.retireConns(now)
		s.spread(now)
	}
	return nil
}

// rank orders paths: the preferred carrier, then by the rank of their kinds.
func (s *Session) rank(x *path) int {
	rank := 2 * x.Kind().Rank
	if s.preferred != nil && x.Kind() == s.preferred {
		rank = -2
	}
	if x.conn != nil && !x.main {
		rank++ // the peer closes it soon
	}
	return rank
}

// lacks reports whether the preferred carrier has no connection yet.
func (s *Session) lacks(l wire.Link) bool {
	return s.preferred != nil && s.preferred.Link == l && !s.hasLink(l)
}

func (s *Session) preferredName() string {
	if s.preferred == nil {
		return ""
	}
	return s.preferred.String()
}
