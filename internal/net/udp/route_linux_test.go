package udp

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// The node itself is known at every address of this host, another program on the
// host, or another host, is not taken for it.
func TestCheckKnowsThisNode(t *testing.T) {
	listen := func(at string) *node { return startNode(t, netip.MustParseAddrPort(at)) }
	all, one := listen("0.0.0.0:0"), listen("127.0.0.1:0")
	port := func(tr *node, addr string) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr(addr), tr.LocalAddr().Port())
	}
	for _, c := range []struct {
		tr  *node
		at  netip.AddrPort
		own bool
	}{
		{all, port(all, "127.0.0.1"), true},
		{all, port(one, "127.0.0.1"), false},
		{one, port(one, "127.0.0.1"), true},
		{one, port(one, "127.0.0.2"), false},
	} {
		if err := c.tr.Check(c.at); errors.Is(err, link.ErrOwnAddress) != c.own {
			t.Errorf("%v at %v: %v", c.tr.LocalAddr(), c.at, err)
		}
	}
}

func TestCheckKnowsThatThereIsNoRoute(t *testing.T) {
	inNamespace(t, 65536, func() {
		a := startNode(t, netip.MustParseAddrPort("[::]:0"))
		for _, remote := range []string{"192.0.2.1:7", "[2001:db8::1]:7"} {
			if err := a.Check(netip.MustParseAddrPort(remote)); !errors.Is(err, link.ErrNoRoute) {
				t.Errorf("%s: %v", remote, err)
			}
		}
		if err := a.Check(netip.MustParseAddrPort("127.0.0.1:7")); err != nil {
			t.Error(err)
		}
	})
}
