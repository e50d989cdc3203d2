package demo

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/control"
)

const (
	eager = 2 * time.Millisecond  // between looks until the session is up
	calm  = 50 * time.Millisecond // and afterwards
)

// watch tells of every change of the state of the node's session that it sees,
// until ctx ends. It looks again and again; whatever knows better when to look
// takes the place of this function and of nothing else.
func watch(ctx context.Context, host string, client *control.Client, seen func(change)) {
	state, after, wait := "", time.Now(), eager
	for pause(ctx, wait) {
		asked := time.Now()
		st, err := client.Status(ctx)
		if err != nil || len(st.Peers) == 0 {
			after = asked // not up yet, on its way out, or without a peer
			continue
		}
		if p := st.Peers[0]; p.State != state {
			seen(change{host: host, from: state, to: p.State, after: after, at: time.Now(), peer: p})
			state = p.State
		}
		if state == "established" {
			wait = calm
		}
		after = asked
	}
}

// pause waits for d and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
