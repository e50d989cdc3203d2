package node

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
)

const (
	// hostShare bounds what following the host's addresses costs: one part of so many
	// of the time, as for nextHopShare.
	hostShare = 50
	// hostBurst is the work that may be done at once after a calm, so that a network
	// that comes is closed at once: hundreds of changes.
	hostBurst = 100 * time.Millisecond
)

// startHost begins to follow the host's addresses; watch takes up their changes.
func (n *node) startHost(*config.Config) error {
	ctx, cancel := context.WithCancel(context.Background())
	host, err := routing.Watch(ctx, n.dev.Index())
	if err != nil {
		cancel()
		return fmt.Errorf("watch the host's addresses: %w", err)
	}
	n.host = host
	n.defers(func() {
		cancel()
		for range host.Changes() { // the watcher closes it when it has ended
		}
	})
	return nil
}

// refreshHost takes up the host's addresses and networks as they are now.
func (n *node) refreshHost() {
	n.mu.Lock() // apply takes them up too: what was read first is set first
	defer n.mu.Unlock()
	c := n.config.Load()
	if c == nil {
		return // before the first apply
	}
	host := n.host.Addresses()
	if err := n.data.SetOwn(n.own(c, host)); err != nil {
		n.log.Warn("peers cannot reach all addresses of this host", "error", err)
	}
	n.data.SetBeside(besides(host))
}

// besides are the networks that the host is on, where the kernel sends before it
// comes to a peer's shorter route. The host's addresses are own's.
func besides(host []routing.HostAddress) (out []netip.Prefix) {
	for _, a := range host {
		if !a.Ours && a.Up && !a.Network.IsSingleIP() {
			out = append(out, a.Network)
		}
	}
	return out
}

// share bounds work to a share of the time, with a burst: a token bucket of which
// the tokens are time. The zero value is full.
type share struct {
	used time.Duration // of the burst, as of at
	at   time.Time
}

// wait is how long to wait with the next piece of work: not at all unless the burst
// is used up.
func (s *share) wait(now time.Time) time.Duration {
	return max(0, s.now(now)-hostBurst) * hostShare
}

// spend notes a piece of work that has ended now.
func (s *share) spend(cost time.Duration, now time.Time) {
	s.used, s.at = s.now(now)+cost, now
}

func (s *share) now(now time.Time) time.Duration {
	return max(0, s.used-now.Sub(s.at)/hostShare)
}
