package e2e

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
	"github.com/libertaria-project/l2tun/test/lab/nat"
	"github.com/libertaria-project/l2tun/test/router"
)

// A mappedHome is a node behind the router of a home, which can be asked for mappings,
// and a peer with an address of the Internet, which knows the home's public one.
type mappedHome struct {
	*world
	site   *nat.Site
	at     netip.Addr // the router's on the Internet
	router *router.Router
	a, b   *node
}

// newMappedHome lays it out, for IPv4. Nodes are made, and not up.
func newMappedHome(t *testing.T, o router.Options) *mappedHome {
	t.Helper()
	h := layMappedHome(t, nat.Shape{A: nat.Home, B: nat.None, IPv4Only: true})
	var err error
	h.at, err = h.site.Publish()
	h.ok(err)
	inside := h.site.Cable.B.IP4.Addr()
	h.onlyMarked(h.site.Host, inside)
	o.External, o.Changed = h.at, h.forward
	h.serve(inside, o)
	return h
}

func layMappedHome(t *testing.T, s nat.Shape) *mappedHome {
	t.Helper()
	lab.Require(t, lab.TUN, "ip", "ping", "nft")
	needRuntimeDir(t)
	n := nat.Use(t, s)
	h := &mappedHome{world: inLab(t, &lab.Net{Lab: n.Lab}), site: n.A}
	h.a, h.b = h.node(n.A.Host), h.node(n.B.Host)
	return h
}

// serve has the router answer at its address inside, and makes the nodes peers.
func (h *mappedHome) serve(inside netip.Addr, o router.Options) {
	h.Helper()
	h.router = router.New(o, time.Now())
	h.ok(h.site.Router.Do(func() error { return h.router.Serve(inside) }))
	h.Cleanup(func() { h.router.Close() })
	h.a.knows(h.b, "")
	h.b.knows(h.a, hostPort(h.at, port))
}

// forward does in the router's kernel what its table says.
func (h *mappedHome) forward(all []router.Mapping) {
	ports := make(map[uint16]netip.AddrPort)
	for _, m := range all {
		ports[m.External] = m.Client
	}
	if err := h.site.Router.Forward(h.at, ports); err != nil {
		h.Error(err)
	}
}

// onlyMarked drops what a host sends to its router without the mark of nodes.
func (h *mappedHome) onlyMarked(host *lab.Host, router netip.Addr) {
	h.Helper()
	h.ok(host.Nft(fmt.Sprintf("table ip labmarked {\n\tchain out {\n\t\ttype filter hook output priority 0\n\t\tip daddr { %s, 239.255.255.250 } meta mark & 0xff != 0x6c drop\n\t}\n}\n", router)))
}

// mapPorts writes whether the home's node asks, and has a running node read it.
func (h *mappedHome) mapPorts(on bool) {
	h.Helper()
	text, err := os.ReadFile(h.a.Config)
	h.ok(err)
	const line = "port_mapping = true\n"
	rest := strings.Replace(string(text), line, "", 1)
	if on {
		rest = line + rest
	}
	h.ok(os.WriteFile(h.a.Config, []byte(rest), 0o600))
	if h.a.Cmd != nil {
		h.must(h.a.Host, "reload", "--config", h.a.Config, "--socket", h.a.Socket)
	}
}

// mapping waits until what the home's node says of its only router is as wanted.
func (h *mappedHome) mapping(what string, want func(control.RouterStatus) bool) control.RouterStatus {
	h.Helper()
	var last control.PortMapping
	h.eventually(30*time.Second, what, func() bool {
		last = h.a.status().Mapping
		return last.Enabled && len(last.Routers) == 1 && want(last.Routers[0])
	})
	return last.Routers[0]
}

func isHeld(r control.RouterStatus) bool { return r.State == "held" }

func (h *mappedHome) mappings() int { return len(h.router.Mappings(time.Now())) }

// A home is reached from outside as soon as a reload turns port_mapping on, by each
// protocol, through the sandbox of the node, with its mark, and not before; the mapping
// is gone when the node is down. docs/node.md 8.6.
func TestAHomeIsReachedThroughItsRoutersMapping(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]router.Options{"pcp": {PCP: true, NATPMP: true, UPnP: true}, "nat-pmp": {NATPMP: true}, "upnp": {UPnP: true}} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			h := newMappedHome(t, o)
			h.a.up()
			h.b.up()
			h.b.waitPeer(h.a, 30*time.Second, "in vain", func(p control.Peer) bool { return p.Reason != "" })
			if st := h.a.status(); st.Mapping.Enabled || h.router.Asked("map")+h.router.Asked("search")+h.router.Asked("address") != 0 {
				t.Errorf("the router was asked without being wanted: %+v", st.Mapping)
			}
			h.mapPorts(true)
			got := h.mapping("held", isHeld)
			if got.Protocol != want || got.External != hostPort(h.at, port) || h.mappings() != 1 {
				t.Errorf("%+v, %d mappings", got, h.mappings())
			}
			h.b.waitPeer(h.a, 60*time.Second, "established", isEstablished)
			h.pings(h.b.Host, h.a.v4, 5)
			h.mapping("seen by the peer at that address", func(r control.RouterStatus) bool { return r.Seen })
			d := h.a.doctor()
			d.only()
			start := time.Now()
			h.a.down()
			t.Logf("down after %v", time.Since(start).Round(time.Millisecond))
			if n := h.mappings(); n != 0 {
				t.Errorf("%d mappings after down", n)
			}
		})
	}
}

// A firewall of IPv6 is opened by PCP for the address that the host's packets have, and
// shut at the end.
func TestAHomeIsReachedThroughAPinholeOfIPv6(t *testing.T) {
	t.Parallel()
	h := layMappedHome(t, nat.Shape{A: nat.Firewall, B: nat.None})
	h.at = h.site.Addr6()
	h.serve(h.site.Cable.B.IP6.Addr(), router.Options{PCP: true, External: h.at, Changed: func(all []router.Mapping) {
		var open []netip.AddrPort
		for _, m := range all {
			open = append(open, m.Client)
		}
		if err := h.site.Router.Pinholes(open); err != nil {
			t.Error(err)
		}
	}})
	h.a.up()
	h.b.up()
	h.b.waitPeer(h.a, 30*time.Second, "in vain", func(p control.Peer) bool { return p.Reason != "" })
	h.mapPorts(true)
	h.eventually(30*time.Second, "a pinhole", func() bool {
		held := h.a.status().Mapping
		return len(held.Held()) == 1 && held.Held()[0].External == hostPort(h.at, port)
	})
	h.b.waitPeer(h.a, 60*time.Second, "established", isEstablished)
	h.a.doctor().only()
	h.a.down()
	if n := h.mappings(); n != 0 {
		t.Errorf("%d mappings after down", n)
	}
}

// What a killed node has left is the next one's: it renews it and gives it back.
func TestMappingOfAKilledNodeIsTheNextOnes(t *testing.T) {
	t.Parallel()
	h := newMappedHome(t, router.Options{PCP: true})
	h.mapPorts(true)
	h.a.up()
	h.mapping("held", isHeld)
	h.a.kill()
	if n := h.mappings(); n != 1 {
		t.Fatalf("%d mappings after kill -9", n)
	}
	h.a.up()
	h.mapping("held again", isHeld)
	if n := h.mappings(); n != 1 {
		t.Errorf("%d mappings", n)
	}
	h.a.stop()
	if n := h.mappings(); n != 0 {
		t.Errorf("%d mappings after the end", n)
	}
}

// A router that goes while it has a mapping does not hold up the end of the node.
func TestARouterThatIsGoneDelaysNoEnd(t *testing.T) {
	t.Parallel()
	h := newMappedHome(t, router.Options{PCP: true})
	h.mapPorts(true)
	h.a.up()
	h.mapping("held", isHeld)
	h.ok(h.site.Router.DropAll())
	start := time.Now()
	h.a.down()
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("down took %v", d)
	}
}

// Whatever a router says, a session that is up goes on, and nothing but a note comes of
// it: no address that is not one of the Internet, and none that no peer bears out.
func TestALyingRouterChangesNothing(t *testing.T) {
	t.Parallel()
	pcp := func(change func(b []byte)) func(*router.Options) {
		return func(o *router.Options) {
			o.Answer = func(b []byte) [][]byte {
				if len(b) == 60 {
					change(b)
				}
				return [][]byte{b}
			}
		}
	}
	external := func(text string) func(*router.Options) {
		a := netip.MustParseAddr(text).As16()
		return pcp(func(b []byte) { copy(b[44:], a[:]) })
	}
	h := newMappedHome(t, router.Options{PCP: true})
	h.b.up()
	h.must(h.a.Host, "peer", "set", h.b.DID, "--config", h.a.Config, "--socket", h.a.Socket, "--add-endpoint", h.b.endpoint4())
	h.a.up()
	h.a.waitPeer(h.b, 30*time.Second, "established", isEstablished)
	before := h.a.session(h.b)
	for _, c := range []struct {
		name     string
		lie      func(*router.Options)
		state    string
		reason   string
		finding  string
		external string
	}{
		{"address 0.0.0.0", external("0.0.0.0"), "silent", "private", "L2T-409", ""},
		{"loopback", external("127.0.0.1"), "silent", "private", "L2T-409", ""},
		{"lifetime 0", pcp(func(b []byte) { binary.BigEndian.PutUint32(b[4:], 0) }), "silent", "no_answer", "L2T-407", ""},
		{"the port of another", pcp(func(b []byte) { b[41] ^= 1 }), "silent", "no_answer", "L2T-407", ""},
		{"a port below 1024", pcp(func(b []byte) { binary.BigEndian.PutUint16(b[42:], 53) }), "silent", "low_port", "L2T-408", ""},
		{"a refusal", func(o *router.Options) { o.Refuse = 2 }, "silent", "refused", "L2T-408", ""},
		{"somebody else's address", external("198.51.100.9"), "held", "", "L2T-409", "198.51.100.9:4242"},
	} {
		h.router.Change(func(o *router.Options) {
			o.Answer, o.Refuse = nil, 0
			c.lie(o)
		})
		h.mapPorts(true)
		got := h.mapping(c.name, func(r control.RouterStatus) bool { return r.State == c.state })
		if got.Reason != c.reason || got.Seen || got.External != c.external {
			t.Errorf("%s: %+v", c.name, got)
		}
		d := h.a.doctor()
		d.finds(c.finding, "note", "")
		d.only(c.finding)
		h.mapPorts(false)
		h.eventually(20*time.Second, "off", func() bool { return !h.a.status().Mapping.Enabled })
	}
	h.pings(h.a.Host, h.b.v4, 5)
	if after := h.a.session(h.b); after.handshakes != before.handshakes || after.state != before.state {
		t.Errorf("%+v, before %+v", after, before)
	}
}
