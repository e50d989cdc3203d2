package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/tun"
)

const (
	// keepEvery is how often settings are checked: the kernel does not report their
	// changes.
	keepEvery = time.Minute
	// keepFirst and keepMost bound the back-off: a program that removes things again
	// and again gets no more than one answer in keepMost.
	keepFirst, keepMost = 500 * time.Millisecond, 10 * time.Second
	// keepCalm without a loss ends the back-off.
	keepCalm = time.Minute
	// keepNamed is how many things that were put back are named in status.
	keepNamed = 5
)

// A keeper puts back what others take away from the interface: addresses, routes
// and settings. The goroutine of watch owns it, but for kept. docs/node.md 7.11.
type keeper struct {
	looked  time.Time     // when it last looked
	trouble time.Time     // when it last found something missing
	gap     time.Duration // least time between two looks

	mu   sync.Mutex
	kept keptCounts
}

// keptCounts are what status says of it.
type keptCounts struct {
	times   uint64 // that something was put back
	things  uint64 // that were put back
	last    time.Time
	names   []string // of the last of them
	missing []string // what is not in place, and why
	noIPv6  bool
}

// after is how long to wait until the next look if there is a reason for one.
func (k *keeper) after(least time.Duration, now time.Time) time.Duration {
	return max(0, k.looked.Add(max(k.gap, least)).Sub(now))
}

// take notes a look and says how long until the next one if there is no reason
// for one before.
func (k *keeper) take(put, missing []string, noIPv6 bool, now time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looked = now
	if len(put) > 0 {
		k.kept.times, k.kept.things, k.kept.last = k.kept.times+1, k.kept.things+uint64(len(put)), now
		k.kept.names = put[:min(len(put), keepNamed)]
	}
	k.kept.missing, k.kept.noIPv6 = missing, noIPv6
	switch {
	case len(put) > 0 || len(missing) > 0:
		k.trouble, k.gap = now, min(max(2*k.gap, keepFirst), keepMost)
	case now.Sub(k.trouble) > keepCalm:
		k.gap = 0
	}
	if len(missing) > 0 {
		return k.gap
	}
	return keepEvery
}

// lacks reports whether something is not in place that should be.
func (k *keeper) lacks() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.kept.missing) > 0
}

// keep is one look at addresses, routes and settings.
func (n *node) keep(now time.Time) time.Duration {
	put, err := n.ensure()
	rest, none := except(err, tun.ErrNoIPv6, routing.ErrNoIPv6)
	var missing []string
	if rest != nil {
		missing = strings.Split(rest.Error(), "\n")
	}
	if len(put) > 0 {
		n.log.Warn("restored addresses, routes or settings that another program removed", "interface", n.dev.Name(), "count", len(put), "what", put[:min(len(put), keepNamed)])
	}
	if len(missing) > 0 && !n.keeper.lacks() {
		n.log.Warn("cannot restore all addresses and routes", "interface", n.dev.Name(), "error", rest)
	}
	return n.keeper.take(put, missing, none != nil, now)
}

// ensure puts back what is missing, and removes nothing.
func (n *node) ensure() (put []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.config.Load()
	if c == nil {
		return nil, nil
	}
	if !n.dev.IsUp() { // it takes no routes, and IPv6 addresses that come now are never used
		return nil, fmt.Errorf("interface %s is down", n.dev.Name())
	}
	var errs []error
	for _, a := range n.addresses(c) {
		added, err := n.dev.EnsureAddress(a)
		if errs = append(errs, err); added {
			put = append(put, "address "+a.String())
		}
	}
	routes, err := n.kernel.Ensure()
	for _, p := range routes {
		put = append(put, "route "+p.String())
	}
	settings, more := n.holdSettings()
	return append(put, settings...), errors.Join(append(errs, err, more)...)
}

// holdSettings keeps the kernel from answering for the tunnel: it believes no
// router there, and a hub sends no peer ICMP redirects to a shorter path that does not exist. The
// kernel sends redirects if either the interface's setting or that of all is on,
// so on a host that forwards both are off; then each other interface's own setting
// counts.
func (n *node) holdSettings() (put []string, err error) {
	type setting struct{ path, value string }
	own := n.dev.Name()
	all := []setting{
		{"ipv6/conf/" + own + "/accept_ra", "0"},
		{"ipv6/conf/" + own + "/autoconf", "0"},
		{"ipv4/conf/" + own + "/send_redirects", "0"},
		{"ipv4/conf/" + own + "/promote_secondaries", "1"}, // or one address that goes takes others along
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward"); err == nil && strings.TrimSpace(string(text)) == "1" {
		all = append(all, setting{"ipv4/conf/all/send_redirects", "0"})
	}
	var errs []error
	for _, s := range all {
		changed, err := n.settings.Hold(filepath.Clean(s.path), s.value)
		if errs = append(errs, err); changed {
			put = append(put, "setting net/"+s.path)
		}
	}
	return put, errors.Join(errs...)
}

// hostStatus is what status says of the host.
func (n *node) hostStatus(now time.Time) control.Host {
	n.keeper.mu.Lock()
	k := n.keeper.kept
	n.keeper.mu.Unlock()
	h := control.Host{PutBack: k.things, PutBackTimes: k.times, LastPutBack: k.names, Missing: k.missing, NoIPv6: k.noIPv6}
	if k.times > 0 {
		h.PutBackAgeMS = now.Sub(k.last).Milliseconds()
	}
	for _, s := range n.kernel.Shadows() {
		h.Taken = append(h.Taken, control.Taken{Prefix: s.Prefix.String(), By: s.By})
	}
	return h
}
