package session

import (
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// Prefer makes this end send by one carrier ("direct", "datagram", "utcp")
// whenever a path of it is proven and answers, whatever its rank, until it is
// called again; "" goes back to the best one. Leaving a path that is lost, and
// what the peer sends by, stay as they are. The error says that there is no such
// carrier or that it is switched off, or is ErrClosed.
func (s *Session) Prefer(carrier string) error {
	if carrier == "" {
		return s.prefer(paths.Kind{})
	}
	c, err := link.ParseKind(carrier)
	if err != nil {
		return err
	}
	if !s.m.c.allowed(c) {
		return fmt.Errorf("%w: %s", link.ErrOff, c)
	}
	return s.prefer(kindOf(c))
}

func (s *Session) prefer(k paths.Kind) error {
	return s.call(func(now time.Time) error {
		s.paths.tell(now, func(now time.Time) []paths.Action { return s.paths.machine.Prefer(now, k) })
		return nil
	})
}
