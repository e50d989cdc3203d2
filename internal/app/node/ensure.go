package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/libertaria-project/l2tun/routing"
)

// ensure adds what is missing again, and removes nothing.
func (a *applier) ensure() (put []string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.config.Load()
	if c == nil {
		return nil, nil
	}
	if !a.dev.IsUp() { // it takes no routes, and IPv6 addresses that come now are never used
		return nil, fmt.Errorf("interface %s is down", a.dev.Name())
	}
	var errs []error
	for _, p := range a.addresses(c) {
		added, err := a.dev.EnsureAddress(p)
		if errs = append(errs, err); added {
			put = append(put, "address "+p.String())
		}
	}
	routes, err := a.kernel.Ensure()
	for _, p := range routes {
		put = append(put, "route "+p.String())
	}
	settings, more := holdSettings(a.settings, a.dev.Name())
	return append(put, settings...), errors.Join(append(errs, err, more)...)
}

// holdSettings keeps the kernel from answering for the tunnel: it believes no
// router there, and a hub sends no peer ICMP redirects to a shorter path that does
// not exist. The kernel sends redirects if either the interface's setting or that
// of all is on, so on a host that forwards both are off; then each other
// interface's own setting counts.
func holdSettings(held *routing.Settings, own string) (put []string, err error) {
	type setting struct{ path, value string }
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
		changed, err := held.Hold(filepath.Clean(s.path), s.value)
		if errs = append(errs, err); changed {
			put = append(put, "setting net/"+s.path)
		}
	}
	return put, errors.Join(errs...)
}
