package health

import (
	"fmt"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// foreignFor is how long a repair stays a finding.
const foreignFor = 24 * time.Hour

// host judges what the node knows of the host's network.
func host(s *control.Status) (all []control.Finding) {
	h := &s.Host
	if len(s.Sandbox.Missing) > 0 {
		all = append(all, control.Finding{Code: NoSandbox, Level: control.LevelNote,
			What: fmt.Sprintf("the sandbox of the node (user %d) is incomplete on this kernel: %s", s.Sandbox.UID, strings.Join(s.Sandbox.Missing, "; ")),
			Do:   "nothing if the service manager or the container does it; else a kernel with Landlock (5.13 or newer, and landlock in its list of security modules)"})
	}
	for _, t := range h.Taken {
		all = append(all, control.Finding{Code: RouteOverlap, Level: control.LevelWarning, About: t.Prefix,
			What: fmt.Sprintf("packets to this prefix of a peer go to %s, whose route the kernel prefers; the peer's route is in the table behind it", t.By),
			Do:   "nothing if this host is on that network just now: the peer gets them when that route is removed; else give the peer another prefix; ip route get shows the route"})
	}
	if h.NoIPv6 {
		all = append(all, control.Finding{Code: NoIPv6, Level: control.LevelNote, About: s.Interface,
			What: "IPv6 is switched off on this host: the interface has IPv4 addresses and routes only, and not the address that follows from the DID",
			Do:   "nothing if that is meant; else sysctl -w net.ipv6.conf.all.disable_ipv6=0, and the node adds the address by itself"})
	}
	if len(h.Missing) > 0 {
		all = append(all, control.Finding{Code: Foreign, Level: control.LevelError, About: s.Interface,
			What: "addresses or routes are missing and cannot be restored: " + strings.Join(h.Missing, "; "),
			Do:   "if the interface is down: ip link set " + s.Interface + " up; else find the program that manages this interface (ip monitor) and except it there"})
	}
	if age := time.Duration(h.RepairAgeMS) * time.Millisecond; h.Repairs > 0 && age < foreignFor {
		all = append(all, control.Finding{Code: Foreign, Level: control.LevelWarning, About: s.Interface,
			What: fmt.Sprintf("another program has removed or changed what this node needs on its interface, %d times; it was restored, last %s ago: %s",
				h.Repairs, Age(age), strings.Join(h.LastRepaired, ", ")),
			Do: "find that program (ip monitor, journalctl -u systemd-networkd -u NetworkManager) and tell it not to manage " + s.Interface})
	}
	return all
}
