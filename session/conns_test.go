package session

import (
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// What package paths keeps to (SPEC 6.5 and 6.10), as these tests expect it.
const (
	maxPerLink = 2
	returnHold = 10 * time.Second
	smallProbe = wire.MinProbe + wire.Overhead
)

// connections are those of the session.
func (s *Session) connections() (all []link.Conn) {
	for _, p := range s.loop.paths.Paths() {
		if conn, ok := p.(link.Conn); ok { // of the network in memory
			all = append(all, conn)
		}
	}
	return all
}
