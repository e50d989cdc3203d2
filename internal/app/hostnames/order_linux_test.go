package hostnames

import (
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// Whoever has broken into a node has the names of l2 and nothing else of the host's.
func TestANodeNamesItsOwnAlone(t *testing.T) {
	good := order()
	good.Hosts = append(good.Hosts, control.NamedAddr{Name: "nas.home.l2", Address: "fd4c:3254::2"})
	good.Zones = append(good.Zones, "4.5.2.3.c.4.d.f.ip6.arpa")
	if err := check(good); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*control.NameOrder){
		"a bank":                  func(o *control.NameOrder) { o.Hosts[0].Name = "bank.example" },
		"a bank beside":           func(o *control.NameOrder) { o.Hosts[0].Name = "bank.example nas.l2" },
		"a bank in another line":  func(o *control.NameOrder) { o.Hosts[0].Name = "x\n192.0.2.1 bank.example\n1 a.l2" },
		"a bank by its address":   func(o *control.NameOrder) { o.Hosts[0].Address = "192.0.2.1 bank.example #" },
		"a zone":                  func(o *control.NameOrder) { o.Hosts[0].Address = "fe80::1%a\nb" },
		"the domain itself":       func(o *control.NameOrder) { o.Hosts[0].Name = ".l2" },
		"a bank by the interface": func(o *control.NameOrder) { o.Interface = "a\n192.0.2.1 bank.example\n#" },
		"no interface":            func(o *control.NameOrder) { o.Interface = "" },
		"all names":               func(o *control.NameOrder) { o.Zones[0] = "." },
		"a zone of others":        func(o *control.NameOrder) { o.Zones[0] = "example" },
		"all reverse zones":       func(o *control.NameOrder) { o.Zones[0] = "in-addr.arpa" },
		"no zone":                 func(o *control.NameOrder) { o.Zones = nil },
		"a server elsewhere":      func(o *control.NameOrder) { o.Server = "192.0.2.1:53" },
		"a server's name":         func(o *control.NameOrder) { o.Server = "localhost:53" },
		"too many":                func(o *control.NameOrder) { o.Hosts = make([]control.NamedAddr, maxEntries+1) },
	} {
		o := order()
		spoil(&o)
		if check(o) == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if checkTunnel("lo", 1) == nil || checkTunnel("none0", 7) == nil {
		t.Error("what is no tunnel is one")
	}
}
