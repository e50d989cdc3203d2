package config

import (
	"fmt"
	"net/netip"
)

// parseMetrics reads where Prometheus may ask. Metrics name the node's peers, so
// it must be this host alone.
func parseMetrics(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	switch {
	case err != nil:
		return a, fmt.Errorf("%q is not an IP address with a port, such as 127.0.0.1:9586", s)
	case a.Port() == 0:
		return a, fmt.Errorf("%s: port 0 would be another one each time; name one, such as 9586", s)
	case !a.Addr().IsLoopback():
		return a, fmt.Errorf("%s is not a loopback address, and metrics name your peers; use 127.0.0.1:%d and bring them out by other means", s, a.Port())
	}
	return a, nil
}
