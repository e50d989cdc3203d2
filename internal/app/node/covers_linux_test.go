package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// covering is an applier with a device and the kernel's routes in a namespace of its
// own, and without sessions.
type covering struct {
	*testing.T
	*applier
}

func newCovering(t *testing.T) *covering {
	t.Helper()
	tuntest.Namespace(t)
	w := &covering{T: t}
	dev, err := tun.Create(tun.Config{Name: "l2t"})
	w.ok(err)
	t.Cleanup(func() { dev.Close() })
	w.ok(dev.AddAddress(netip.MustParsePrefix("10.77.0.1/16")))
	w.ok(dev.Up())
	kernel, err := routing.NewKernel(dev.Index())
	w.ok(err)
	t.Cleanup(func() { kernel.Close() })
	w.applier = &applier{log: slog.New(slog.DiscardHandler), dev: dev, kernel: kernel, mtus: newRouteMTUs()}
	return w
}

func (w *covering) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// member is a peer with 10.77.1.N and its DID's address.
func member(n byte) did.DID { return did.FromDigest([32]byte{n, 31: 1}) }

func crowd(members ...byte) *config.Config {
	c := &config.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/16")}}
	for _, n := range members {
		d := member(n)
		c.Peers = append(c.Peers, config.Peer{DID: d, AllowedIPs: []netip.Prefix{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 1, n}), 32), netip.PrefixFrom(d.Addr(), 128)}})
	}
	return c
}

// use applies the routes of a config as apply does.
func (w *covering) use(c *config.Config) error {
	old := w.config.Load()
	if old == nil {
		old = new(config.Config)
	}
	err := errors.Join(w.applyCovers(old, c), w.addRoutes(c), w.removeRoutes(c))
	w.config.Store(c)
	return err
}

func (w *covering) has(what string, want ...string) {
	w.Helper()
	slices.Sort(want)
	if got := tuntest.Routes(w, w.dev.Index(), routing.Protocol); !slices.Equal(got, want) {
		w.Errorf("%s: routes %v, want %v", what, got, want)
	}
}

// leadsHere reports whether the kernel sends to an address by the device.
func (w *covering) leadsHere(addr string) bool {
	return tuntest.LeadsTo(netip.MustParseAddr(addr)) == w.dev.Index()
}

const (
	network4 = "10.77.0.0/16"
	network6 = "fd4c:3254::/32"
)

// Two routes lead to any number of peers; a smaller MTU and a network outside have
// routes of their own, for as long as there is a reason.
func TestOneRouteLeadsToAllPeersOfANetwork(t *testing.T) {
	w := newCovering(t)
	c := crowd(2, 3, 4, 5)
	c.Peers[3].AllowedIPs = append(c.Peers[3].AllowedIPs, netip.MustParsePrefix("192.168.9.0/24"), netip.MustParsePrefix("10.77.9.0/24"))
	w.ok(w.use(c))
	w.has("at first", network4, network6, "192.168.9.0/24", "10.77.9.0/24")
	for _, a := range []string{"10.77.1.2", member(2).Addr().String(), "192.168.9.1"} {
		if !w.leadsHere(a) {
			t.Errorf("%s does not lead to the device", a)
		}
	}
	w.mtus.set(member(2), session.Direct, 1350)
	w.applyMTUs()
	mtu := w.mtus.of(member(2), w.dev.MTU())
	own4, own6 := fmt.Sprintf("10.77.1.2/32 mtu %d", mtu), fmt.Sprintf("%s/128 mtu %d", member(2).Addr(), mtu)
	w.has("a path of a smaller MTU", network4, network6, "192.168.9.0/24", "10.77.9.0/24", own4, own6)
	w.mtus.set(member(2), session.UTCP, 0)
	w.applyMTUs()
	w.has("and no more", network4, network6, "192.168.9.0/24", "10.77.9.0/24")
	w.ok(w.use(crowd(2, 7)))
	w.has("other peers", network4, network6)
	hub := crowd(2, 7)
	hub.Peers[1].AllowedIPs = append(hub.Peers[1].AllowedIPs, netip.MustParsePrefix(network4))
	w.ok(w.use(hub))
	w.mtus.set(member(7), session.Direct, 1350)
	w.applyMTUs()
	w.has("a peer that owns the network", fmt.Sprintf("%s mtu %d", network4, mtu), network6, "10.77.1.2/32", fmt.Sprintf("%s/128 mtu %d", member(7).Addr(), mtu))
	w.ok(w.kernel.Undo())
	w.has("at the end")
	if !w.leadsHere("10.77.1.2") {
		t.Error("the kernel's route of the address is not there again")
	}
}

// A route of another interface inside the network, there before or come later, takes no
// peer's address.
func TestAnAddressThatOthersWouldTakeHasARouteOfItsOwn(t *testing.T) {
	w := newCovering(t)
	l := tuntest.Other(t, "10.77.1.129/25")
	w.ok(w.use(crowd(2, 130)))
	w.has("a network inside", network4, network6, "10.77.1.130/32")
	six := member(2).Addr()
	tuntest.AddRoute(t, netip.PrefixFrom(six, 64).Masked(), l)
	tuntest.AddRoute(t, netip.MustParsePrefix("10.77.1.0/29"), 0)
	w.checkCovers()
	w.has("routes that came", network4, network6, "10.77.1.130/32", "10.77.1.2/32", six.String()+"/128")
	w.ok(w.use(crowd(2)))
	w.has("after a reload", network4, network6, "10.77.1.2/32", six.String()+"/128")
	for _, a := range []string{"10.77.1.2", six.String()} {
		if !w.leadsHere(a) {
			t.Errorf("%s does not lead to the device", a)
		}
	}
}

// Of two nodes of a host that have a peer in common the later one has that peer's address,
// which the other says, and which is its own again when the later one ends.
func TestAPeerOfTwoNodesOfAHost(t *testing.T) {
	w := newCovering(t)
	w.ok(w.use(crowd(2, 3)))
	l := tuntest.Other(t, "10.78.0.1/16")
	later, err := routing.NewKernel(l)
	w.ok(err)
	t.Cleanup(func() { later.Close() })
	six := member(2).Addr()
	shared := netip.PrefixFrom(six, 128)
	if err := later.Cover(netip.MustParsePrefix(network6)); !errors.Is(err, routing.ErrTaken) {
		t.Fatalf("the other node's network: %v", err)
	}
	w.ok(later.Add(shared, 0))
	w.checkCovers()
	if got := w.kernel.Shadows(); len(got) != 1 || got[0].Prefix != shared || w.leadsHere(six.String()) || !w.leadsHere(member(3).Addr().String()) {
		t.Errorf("shared: %v is said to be taken", got)
	}
	w.ok(later.Undo())
	if got := w.kernel.Shadows(); len(got) != 0 || !w.leadsHere(six.String()) {
		t.Errorf("the other node has ended: %v is said to be taken", got)
	}
	w.checkCovers()
	w.ok(w.use(crowd(3)))
	w.has("without the peer", network4, network6)
}

// A network that another interface has already is left to it, and its routes as they are.
func TestANetworkOfAnotherInterfaceCoversNothing(t *testing.T) {
	tuntest.Namespace(t)
	w := &covering{T: t, applier: &applier{log: slog.New(slog.DiscardHandler), mtus: newRouteMTUs()}}
	l := tuntest.Other(t, "10.77.0.9/16")
	dev, err := tun.Create(tun.Config{Name: "l2t"})
	w.ok(err)
	t.Cleanup(func() { dev.Close() })
	w.ok(dev.AddAddress(netip.MustParsePrefix("10.77.0.1/16")))
	w.ok(dev.Up())
	w.dev = dev
	w.kernel, err = routing.NewKernel(dev.Index())
	w.ok(err)
	t.Cleanup(func() { w.kernel.Close() })
	w.ok(w.use(crowd(2)))
	w.has("a LAN of the same network", network6, "10.77.1.2/32")
	if at := tuntest.LeadsTo(netip.MustParseAddr("10.77.5.5")); at != l {
		t.Errorf("the LAN has lost its route, to interface %d", at)
	}
}

// The kernel is not asked about peers that were there before: a thousand and one more
// cost one more.
func TestOneMorePeerIsOneLookUp(t *testing.T) {
	c := crowd()
	for i := range 1000 {
		d := did.FromDigest([32]byte{byte(i), byte(i >> 8), 1, 31: 1})
		c.Peers = append(c.Peers, config.Peer{DID: d, AllowedIPs: []netip.Prefix{netip.PrefixFrom(d.Addr(), 128)}})
	}
	more := crowd()
	more.Peers = append(slices.Clone(c.Peers), crowd(9).Peers[0])
	v := covers{networks: coverable(c)}
	all := slices.Collect(v.unknown(new(config.Config), c))
	if len(all) != 1000 {
		t.Errorf("%d look-ups at the start", len(all))
	}
	if again := slices.Collect(v.unknown(c, more)); len(again) != 2 { // of two families
		t.Errorf("%d look-ups for one peer more", len(again))
	}
}
