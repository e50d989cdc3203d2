package session

import (
	"time"

	"github.com/libertaria-project/l2tun/rotation"
)

// short executes the actions of the short handshake.
func (x *epochs) short(a rotation.Action, now time.Time) {
	if a.Op == rotation.Start {
		x.do(x.machine.Failed(now, a.ID), now)
		x.s.begin(InitiateHandshake, now)
	}
}
