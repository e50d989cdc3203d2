package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/libertaria-project/l2tun/internal/config"
)

// forwardingSwitches are the kernel's, of IPv4 and IPv6.
const (
	forwarding4 = "net.ipv4.ip_forward"
	forwarding6 = "net.ipv6.conf.all.forwarding"
)

// forwarding warns where --route promises what this host does not do.
func (o *InviteOptions) forwarding() (lines []string) {
	warned := make(map[string]bool)
	for _, r := range o.Routes {
		p, err := netip.ParsePrefix(r)
		if err != nil {
			continue
		}
		key := forwarding4
		if p.Addr().Is6() {
			key = forwarding6
		}
		if !warned[key] && forwardingOff(key) {
			warned[key] = true
			lines = append(lines, fmt.Sprintf("Warning: this host does not forward packets, so %s is not reachable through it; run: sysctl -w %s=1", p, key))
		}
	}
	return lines
}

// addRoutes lets peers send to the networks that --route promises.
func (o *InviteOptions) addRoutes(ctx context.Context) error {
	changed := false
	for _, r := range o.Routes {
		p, err := netip.ParsePrefix(r)
		if err != nil {
			return err
		}
		added, err := config.AddRoute(o.configPath(), p)
		if err != nil {
			return err
		}
		if added {
			fmt.Fprintf(o.Err, "Added [[route]] %s to %s: all peers may send to that network.\n", p, o.configPath())
		}
		changed = changed || added
	}
	if !changed {
		return nil
	}
	_, err := o.takeUp(ctx)
	return err
}

// forwardingOff is false where the kernel cannot be asked.
func forwardingOff(key string) bool {
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(key, ".", "/"))
	return err == nil && strings.TrimSpace(string(text)) == "0"
}
