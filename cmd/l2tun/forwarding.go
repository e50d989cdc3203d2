package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/show/doctor"
)

// forwarding warns where --route promises what this host does not do.
func (o *InviteOptions) forwarding() (lines []string) {
	c, err := config.Load(o.configPath())
	if err != nil {
		return nil // the invitation was made by it, and somebody has changed it since
	}
	var networks []netip.Prefix
	for _, r := range o.Routes {
		if p, err := netip.ParsePrefix(r); err == nil {
			networks = append(networks, p)
		}
	}
	closed := doctor.Unforwarded(c.Interface, networks)
	for _, key := range slices.Sorted(maps.Keys(closed)) {
		verb := "is"
		if len(closed[key]) > 1 {
			verb = "are"
		}
		lines = append(lines, fmt.Sprintf("Warning: this host does not forward packets, so %s %s not reachable through it; run: sysctl -w %s=1",
			strings.Join(closed[key], ", "), verb, key))
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
