package hostnames

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/hosts"
	"github.com/libertaria-project/l2tun/internal/base/ifname"
	"github.com/libertaria-project/l2tun/names"
)

// maxEntries is how many lines an order may have.
const maxEntries = 16 << 10

// check holds an order to what a node may say, for somebody may have broken into it: names
// of l2 and reverse zones, a server on the loopback device. Nothing else of how the host
// resolves names is a node's.
func check(o control.NameOrder) error {
	if err := ifname.Check(o.Interface); err != nil {
		return err
	}
	if at, err := netip.ParseAddrPort(o.Server); o.Server != "" && (err != nil || !at.Addr().IsLoopback()) {
		return fmt.Errorf("%q is no address of the loopback device", o.Server)
	}
	for _, z := range o.Zones {
		if _, ok := hosts.Name(z); z != names.Domain && (!ok || !strings.HasSuffix(z, ".in-addr.arpa") && !strings.HasSuffix(z, ".ip6.arpa")) {
			return fmt.Errorf("%q is no zone of a node", z)
		}
	}
	if len(o.Zones) == 0 || len(o.Hosts) > maxEntries {
		return fmt.Errorf("%d zones and %d names", len(o.Zones), len(o.Hosts))
	}
	for _, h := range o.Hosts {
		_, ok := hosts.Name(h.Name)
		if a, err := netip.ParseAddr(h.Address); !ok || !strings.HasSuffix(h.Name, "."+names.Domain) || err != nil || a.Zone() != "" {
			return fmt.Errorf("%q of %q is no name of a node", h.Name, h.Address)
		}
	}
	return nil
}

// checkTunnel refuses a link that is not the tunnel of that name.
func checkTunnel(iface string, index int) error {
	device := "/sys/class/net/" + iface
	text, err := os.ReadFile(device + "/ifindex")
	if err != nil {
		return fmt.Errorf("there is no interface %s", iface)
	}
	if strings.TrimSpace(string(text)) != fmt.Sprint(index) {
		return fmt.Errorf("interface %s is not number %d", iface, index)
	}
	if _, err := os.Stat(device + "/tun_flags"); err != nil {
		return fmt.Errorf("interface %s is no tunnel", iface)
	}
	return nil
}
