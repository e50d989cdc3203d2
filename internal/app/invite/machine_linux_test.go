package invite

import (
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/routing"
)

// Bridges of containers and other tunnels are no place where a node is reached.
func TestContainersAndTunnelsAreNotOutside(t *testing.T) {
	iface := func(name, kind, master string, addresses ...string) routing.HostInterface {
		return routing.HostInterface{Name: name, Kind: kind, Master: master, Up: true, Addresses: prefixes(addresses...)}
	}
	host := &routing.Host{Interfaces: []routing.HostInterface{
		iface("lo", "device", "", "127.0.0.1/8"),
		iface("eth0", "device", "br0"),
		iface("eth1", "device", "", "192.168.1.2/24", "fe80::1/64"),
		iface("br0", "bridge", "", "198.51.100.1/24"),
		iface("br1", "bridge", "", "203.0.113.1/24"),
		iface("docker0", "bridge", "", "172.17.0.1/16"),
		iface("veth1", "veth", "docker0"),
		iface("virbr0", "bridge", "", "192.168.122.1/24"),
		iface("vnet0", "tuntap", "virbr0"),
		iface("wg0", "wireguard", "", "10.8.0.2/24"),
		iface("l2tun1", "tuntap", "", "10.7.0.2/24"),
		iface("l2tun0", "tuntap", "", "10.9.0.2/24"),
		iface("ppp0", "ppp", "", "192.0.2.1/32"),
	}, Routes: []routing.HostRoute{{Prefix: prefixes("0.0.0.0/0")[0], Interface: "br1"}}}
	var in, out []string
	for _, n := range nets(host, "l2tun0") {
		if n.Outside {
			out = append(out, n.Interface)
		} else {
			in = append(in, n.Interface)
		}
	}
	if want := []string{"eth1", "br0", "br1", "ppp0"}; !slices.Equal(out, want) {
		t.Errorf("outside: %q", out)
	}
	if want := []string{"docker0", "virbr0", "wg0", "l2tun1"}; !slices.Equal(in, want) {
		t.Errorf("inside: %q", in)
	}
}
