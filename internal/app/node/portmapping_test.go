package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/net/portmap"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/test/router"
)

// mappingHost is a node's port mapping beside a router at another address of the
// loopback network.
type mappingHost struct {
	*testing.T
	router   *router.Router
	use      *applier
	mapped   *portMapping
	external netip.AddrPort
}

// mappingRouters counts them: each has an address, and with it the ports, for itself.
var mappingRouters atomic.Uint32

func newMappingHost(t *testing.T, o router.Options) *mappingHost {
	t.Helper()
	t.Parallel()
	at, here := netip.AddrFrom4([4]byte{127, 78, 0, byte(mappingRouters.Add(1))}), netip.MustParseAddr("127.0.0.1")
	h := &mappingHost{T: t, use: new(applier), external: netip.MustParseAddrPort("203.0.113.7:41641")}
	if o.External == (netip.Addr{}) {
		o.External = h.external.Addr()
	}
	h.router = router.New(o, time.Now())
	if err := h.router.Serve(at); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.router.Close() })
	h.use.config.Store(new(config.Config))
	h.mapped = newPortMapping(h.use, portmap.Config{Port: h.external.Port(), Seed: [32]byte{1}, Log: slog.New(slog.DiscardHandler),
		Gateways: gatewaysOf(netip.IPv6Unspecified(), func() []routing.Gateway { return []routing.Gateway{{Router: at, Local: here}} })})
	h.mapped.start()
	t.Cleanup(h.mapped.close)
	return h
}

// apply is what a reload does in the end.
func (h *mappingHost) apply(on bool) {
	h.use.config.Store(&config.Config{PortMapping: on})
	for _, f := range h.use.applied {
		f()
	}
}

func (h *mappingHost) status(seen ...netip.Addr) control.PortMapping {
	return h.mapped.status(seen, time.Now())
}

func (h *mappingHost) eventually(f func() error) {
	h.Helper()
	err := errors.New("never asked")
	for end := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		err = f()
	}
	if err != nil {
		h.Fatal(err)
	}
}

// await waits until the only router is in a state.
func (h *mappingHost) await(state string) control.RouterStatus {
	h.Helper()
	h.eventually(func() error {
		if st := h.status(); len(st.Routers) != 1 || st.Routers[0].State != state {
			return fmt.Errorf("%+v, want %s", st, state)
		}
		return nil
	})
	return h.status().Routers[0]
}

func (h *mappingHost) mappings() int { return len(h.router.Mappings(time.Now())) }

// Nothing is asked before the config says so; a reload turns it on and off, and the end
// gives back what there is.
func TestPortMappingFollowsTheConfig(t *testing.T) {
	h := newMappingHost(t, router.Options{PCP: true})
	h.mapped.changed()
	h.apply(false)
	if st := h.status(); st.Enabled || st.Routers != nil {
		t.Errorf("%+v", st)
	}
	h.apply(true)
	got := h.await("held")
	if got.Protocol != "pcp" || got.External != h.external.String() || got.ExpiresMS < 7_000_000 || got.ExpiresMS > 7_200_000 || got.Reason != "" || h.mappings() != 1 {
		t.Errorf("%+v, %d mappings", got, h.mappings())
	}
	h.apply(false)
	h.eventually(func() error {
		if n, st := h.mappings(), h.status(); n != 0 || st.Enabled {
			return fmt.Errorf("%d mappings after it was turned off: %+v", n, st)
		}
		return nil
	})
	h.apply(true)
	h.await("held")
	h.mapped.close()
	if n := h.mappings(); n != 0 {
		t.Errorf("%d mappings after the end", n)
	}
}

// What a router says is told to nobody before a peer sees this node at that address.
func TestOnlyAddressesThatPeersSeeAreTold(t *testing.T) {
	h := newMappingHost(t, router.Options{NATPMP: true})
	address := h.external.Addr()
	if got := h.mapped.candidates([]netip.Addr{address}); got != nil {
		t.Errorf("%v without a mapping", got)
	}
	h.apply(true)
	h.await("held")
	other := netip.MustParseAddr("203.0.113.8")
	for _, c := range []struct {
		seen []netip.Addr
		want []netip.AddrPort
	}{{nil, nil}, {[]netip.Addr{other, {}}, nil}, {[]netip.Addr{other, address}, []netip.AddrPort{h.external}}} {
		if got := h.mapped.candidates(c.seen); !slices.Equal(got, c.want) {
			t.Errorf("seen at %v: %v", c.seen, got)
		}
		if got := h.status(c.seen...).Routers[0]; got.Seen != (c.want != nil) {
			t.Errorf("seen at %v: %+v", c.seen, got)
		}
	}
}

// A change of the host's network has the router asked whether it still has the mapping:
// one that has restarted gets it anew.
func TestPortMappingIsBackAfterAChangeOfTheNetwork(t *testing.T) {
	h := newMappingHost(t, router.Options{PCP: true})
	h.apply(true)
	h.await("held")
	h.router.Restart(time.Now().Add(-time.Hour)) // its clock is another
	for range 100 {
		h.mapped.changed()
	}
	h.eventually(func() error {
		if h.mappings() != 1 {
			return errors.New("the router has no mapping")
		}
		return nil
	})
	if n := h.router.Asked("announce"); n > 2 {
		t.Errorf("its clock was asked for %d times", n)
	}
}

// The words of refusals are those of the status document.
func TestPortMappingThatIsRefused(t *testing.T) {
	for _, c := range []struct {
		o    router.Options
		want string
	}{
		{router.Options{PCP: true, Refuse: 2}, "refused"},
		{router.Options{PCP: true, Lease: 5}, "short_lease"},
		{router.Options{PCP: true, OnlyPort: 22}, "low_port"},
		{router.Options{PCP: true, External: netip.MustParseAddr("100.64.1.2")}, "private"},
		{router.Options{PCP: true, External: netip.MustParseAddr("127.0.0.1")}, "private"},
		{router.Options{PCP: true, External: netip.IPv4Unspecified()}, "private"},
		{router.Options{}, "no_answer"},
	} {
		t.Run(c.want, func(t *testing.T) {
			h := newMappingHost(t, c.o)
			h.apply(true)
			if got := h.await("silent"); got.Reason != c.want || got.External != "" || got.Protocol != "" || got.ExpiresMS != 0 {
				t.Errorf("%+v", got)
			}
			if got := h.mapped.candidates([]netip.Addr{c.o.External}); got != nil || h.mappings() != 0 {
				t.Errorf("told %v, %d mappings", got, h.mappings())
			}
		})
	}
}

func TestRoutersThatLeadToTheSocket(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.168.1.2"), netip.MustParseAddr("2001:db8::2")
	for listen, want := range map[string][2]bool{"::": {true, true}, "0.0.0.0": {true, false}, "192.168.1.2": {true, false}, "2001:db8::2": {false, true},
		"::ffff:192.168.1.2": {true, false}, "127.0.0.1": {}, "::1": {}} {
		all, err := gatewaysOf(netip.MustParseAddr(listen), func() []routing.Gateway {
			return []routing.Gateway{{Router: netip.MustParseAddr("192.168.1.1"), Local: v4}, {Router: netip.MustParseAddr("fe80::1%eth0"), Local: v6}}
		})()
		got := [2]bool{}
		for _, g := range all {
			got[map[netip.Addr]int{v4: 0, v6: 1}[g.Local]] = true
		}
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", listen, all, err)
		}
	}
}
