package transport

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// resolve implements Transport.Resolve.
func resolve(ctx context.Context, endpoint string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(endpoint)
	if err != nil {
		return nil, fmt.Errorf("transport: endpoint %q: %w", endpoint, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("transport: endpoint %q: bad port", endpoint)
	}
	addrs, err := lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("transport: endpoint %q: %w", endpoint, err)
	}
	out, err := dialable(host, uint16(port), addrs)
	if err != nil {
		return nil, fmt.Errorf("transport: endpoint %q: %w", endpoint, err)
	}
	return out, nil
}

// dialable are the addresses of a host that may be dialled, each once. A literal is
// the config's own word; what a name leads to is its name server's.
func dialable(host string, port uint16, addrs []netip.Addr) (out []netip.AddrPort, err error) {
	check := Dialable
	if _, perr := netip.ParseAddr(host); perr == nil || isLocalhost(host) {
		check = routable
	}
	for _, a := range addrs {
		ap := netip.AddrPortFrom(a.Unmap(), port)
		if cerr := check(ap); cerr != nil {
			err = cerr
		} else if !slices.Contains(out, ap) {
			out = append(out, ap)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
