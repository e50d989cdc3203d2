package nat

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/test/lab"
)

// defaultLifetime is what this package's own maps give a mapping; the
// connection table has the kernel's times, 30 s, and 120 s for a flow that was
// answered more than once.
const defaultLifetime = 300 * time.Second

// outside is a router's device towards the Internet: its first.
const outside = "eth0"

// A Router is a home's or a carrier's. Its host and its rules can be changed
// while traffic flows.
type Router struct {
	*lab.Host
	Carrier *Router // nil where the router is on the Internet itself
	rules   ruleset
}

// apply puts the rules into force, with no mapping in them.
func (r *Router) apply() error {
	return errors.Join(r.Nft(r.rules.script()), r.ForgetNAT())
}

// Restart forgets every mapping, as a reboot does; flows that go on from inside
// get new ones.
func (r *Router) Restart() error { return r.apply() }

// ForgetBut forgets what the connection table has of IPv4, but flows to one remote: the
// others have been silent for long.
func (r *Router) ForgetBut(remote netip.Addr) error { return r.ForgetNATBut(remote) }

// Lifetime ends mappings after so many whole seconds without a packet. It
// forgets those that there are.
func (r *Router) Lifetime(d time.Duration) error {
	r.rules.lifetime = d
	seconds := fmt.Sprint(int(d.Seconds()))
	return errors.Join(
		r.Sysctl("net/netfilter/nf_conntrack_udp_timeout", seconds),
		r.Sysctl("net/netfilter/nf_conntrack_udp_timeout_stream", seconds),
		r.apply())
}
