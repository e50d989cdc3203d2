package routing

import (
	"net/netip"
)

// A Forwarding says whether the kernel forwards what comes in by an interface, and
// which setting decides it.
type Forwarding struct {
	Off bool   // false too where the kernel cannot be asked
	Key string // sysctl that turns it on
}

// LookAtForwarding asks the kernel about packets to a prefix. IPv4 goes by the
// setting of the interface, where there is one yet, IPv6 by that of all.
func LookAtForwarding(iface string, to netip.Prefix) Forwarding {
	if to.Addr().Is6() {
		return Forwarding{off("ipv6/conf/all/forwarding"), "net.ipv6.conf.all.forwarding"}
	}
	const all = "net.ipv4.ip_forward"
	if _, err := readSetting("ipv4/conf/" + iface + "/forwarding"); err == nil {
		return Forwarding{off("ipv4/conf/" + iface + "/forwarding"), all}
	}
	return Forwarding{off("ipv4/ip_forward"), all}
}

func off(path string) bool {
	is, err := readSetting(path)
	return err == nil && is == "0"
}
