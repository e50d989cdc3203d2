package main

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/node"
)

const (
	eager = 2 * time.Millisecond  // between looks until the session is up
	calm  = 20 * time.Millisecond // and afterwards
)

// watch tells of every change of the node's session that it sees, until ctx
// ends. It looks again and again, so that a state which lasts for less than the
// time between two looks may be missed. A stream of events could take the place
// of this function and of nothing else.
func watch(ctx context.Context, host string, client *control.Client, seen func(change)) {
	var was control.Peer
	after, wait := time.Now(), eager
	for node.Pause(ctx, wait) {
		asked := time.Now()
		st, err := client.Status(ctx)
		if err != nil || len(st.Peers) == 0 {
			after = asked // not up yet, on its way out, or without a peer
			continue
		}
		p := st.Peers[0]
		if p.State != was.State || p.Epoch != was.Epoch || p.Carrier != was.Carrier {
			seen(change{host: host, to: p.State, after: after, at: time.Now(), peer: p})
		}
		if p.State == "established" {
			wait = calm
		}
		was, after = p, asked
	}
}
