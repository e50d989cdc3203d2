package reach

import (
	"context"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// Asleep waits until the session of two homes sleeps at both ends, whose configs have a
// session.idle_after.
func Asleep(ctx context.Context, a, b *Home) error {
	for x, y := range map[*Home]*Home{a: b, b: a} {
		if p, err := x.WaitPeer(ctx, y.DID, asleep); err != nil {
			return fmt.Errorf("%s does not sleep: it is %s %s: %w", x.Name, p.State, p.Reason, err)
		}
	}
	return nil
}

func asleep(p control.Peer) bool { return p.State == "idle" && p.Reason == "asleep" }

// Wake lets one home send to another whose session with it sleeps, a packet every 5 ms,
// and watches until both send directly or the time is over. Times are from the moment
// before it begins to send.
func Wake(ctx context.Context, caller, callee *Home, within time.Duration) (Result, error) {
	return watched(ctx, caller, callee, time.Now(), within)
}
