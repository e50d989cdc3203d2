package enroll

import (
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
)

// JoinBurst is for tests.
const JoinBurst = joinBurst

// Nobody is for tests.
type Nobody = nobody

// Handshake is for tests.
func (a *Ask) Handshake(st link.Stream, conn link.Conn) (m3 []byte, keys *record.Epoch, err error) {
	return a.handshake(st, conn)
}
