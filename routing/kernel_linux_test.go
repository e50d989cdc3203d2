package routing

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

var examples = []netip.Prefix{
	netip.MustParsePrefix("10.9.0.0/16"),
	netip.MustParsePrefix("10.77.0.2/32"),
	netip.MustParsePrefix("fd4c:3254::2/128"),
	netip.MustParsePrefix("fd4c:3254:1::/48"),
}

// device is a TUN device with addresses, up, in a namespace of the test's own.
func device(t *testing.T) *tun.Device {
	t.Helper()
	tuntest.Namespace(t)
	d, err := tun.Create(tun.Config{Name: "l2t"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	must(t, d.AddAddress(netip.MustParsePrefix("10.77.0.1/24")))
	must(t, d.AddAddress(netip.MustParsePrefix("fd4c:3254::1/64")))
	must(t, d.Up())
	tuntest.AwaitAddress(t, netip.MustParseAddr("fd4c:3254::1"))
	return d
}

// cable is another interface with an address, up.
func cable(t *testing.T, name, addr string) netlink.Link {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "p"}))
	for _, n := range []string{name, name + "p"} {
		l, err := netlink.LinkByName(n)
		must(t, err)
		must(t, netlink.LinkSetIP6AddrGenMode(l, 1)) // none: addresses that come by themselves come late
		must(t, netlink.LinkSetUp(l))
	}
	l := running(t, name)
	running(t, name+"p")
	a, err := netlink.ParseAddr(addr)
	must(t, err)
	must(t, netlink.AddrAdd(l, a))
	return l
}

// running waits until a link has its carrier: the kernel reports it some time after
// the link is up, and a test that watches would take that for a change.
func running(t *testing.T, name string) netlink.Link {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		l, err := netlink.LinkByName(name)
		must(t, err)
		if l.Attrs().RawFlags&unix.IFF_RUNNING != 0 {
			return l
		}
		if time.Now().After(end) {
			t.Fatalf("%s has no carrier", name)
		}
	}
}

func kernel(t *testing.T, d *tun.Device) *Kernel {
	t.Helper()
	k, err := NewKernel(d.Index())
	must(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// table is the main table, and whatever of ours is elsewhere, as text, so that a
// difference is seen. The kernel changes its local table by itself.
func table(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, f := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteListFiltered(f, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		must(t, err)
		for _, r := range routes {
			if r.Table == unix.RT_TABLE_MAIN || r.Protocol == Protocol {
				all = append(all, r.String()+" proto "+r.Protocol.String())
			}
		}
	}
	slices.Sort(all)
	return all
}

// connected is a UDP socket that sends to a and asks the kernel for the path
// MTU that it sent with.
func connected(t *testing.T, a string) func() int {
	t.Helper()
	c, err := net.Dial("udp", net.JoinHostPort(a, "9"))
	must(t, err)
	t.Cleanup(func() { c.Close() })
	raw, err := c.(*net.UDPConn).SyscallConn()
	must(t, err)
	return func() (mtu int) {
		_, err := c.Write([]byte{0}) // here the kernel looks at the route again
		must(t, err)
		raw.Control(func(fd uintptr) {
			if netip.MustParseAddr(a).Is4() {
				mtu, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU)
			} else {
				mtu, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU)
			}
		})
		must(t, err)
		return mtu
	}
}

func TestUndoLeavesNothing(t *testing.T) {
	d := device(t)
	before := table(t)
	k := kernel(t, d)
	for range 2 { // again is fine
		for i, p := range examples {
			must(t, k.Add(p, 1280+i))
		}
	}
	var ours int
	for _, r := range table(t) {
		if strings.Contains(r, "proto 108") {
			ours++
		}
	}
	if ours != len(examples) {
		t.Fatalf("%d routes with our protocol, want %d:\n%s", ours, len(examples), strings.Join(table(t), "\n"))
	}
	want := []Route{{examples[0], 1280}, {examples[1], 1281}, {examples[3], 1283}, {examples[2], 1282}}
	slices.SortFunc(want, func(a, b Route) int { return a.Prefix.Addr().Compare(b.Prefix.Addr()) })
	if !slices.Equal(k.List(), want) {
		t.Fatalf("List: %v", k.List())
	}
	must(t, k.Remove(examples[0]))
	must(t, k.Remove(examples[0]))
	must(t, k.Undo())
	must(t, k.Undo())
	if after := table(t); !slices.Equal(before, after) || len(k.List()) != 0 {
		t.Fatalf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

func TestRouteMTUReachesConnectedSockets(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	for _, c := range []struct{ prefix, addr string }{
		{"10.9.0.0/16", "10.9.1.1"}, {"fd4c:3254:1::/48", "fd4c:3254:1::5"},
	} {
		p := netip.MustParsePrefix(c.prefix)
		must(t, k.Add(p, 1300))
		mtu := connected(t, c.addr)
		for _, want := range []int{1300, 1280, 1400, 0} {
			must(t, k.Add(p, want))
			if want == 0 {
				want = tun.DefaultMTU
			}
			if got := mtu(); got != want {
				t.Errorf("%s: a connected socket sees %d, want %d", c.addr, got, want)
			}
		}
	}
}

// The kernel routes the rest of an address's prefix to the device already; a
// peer may own all of it, and the route comes back when it no longer does.
func TestConnectedPrefixIsReplacedAndRestored(t *testing.T) {
	d := device(t)
	before := table(t)
	k := kernel(t, d)
	for _, c := range []struct{ prefix, addr string }{
		{"10.77.0.0/24", "10.77.0.9"}, {"fd4c:3254::/64", "fd4c:3254::9"},
	} {
		must(t, k.Add(netip.MustParsePrefix(c.prefix), 1350))
		must(t, k.Add(netip.MustParsePrefix(c.prefix), 1300))
		if got := connected(t, c.addr)(); got != 1300 {
			t.Errorf("%s: MTU %d", c.prefix, got)
		}
	}
	must(t, k.Close())
	must(t, k.Close())
	if after := table(t); !slices.Equal(before, after) {
		t.Fatalf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if err := k.Add(examples[0], 0); !errors.Is(err, ErrClosed) {
		t.Errorf("Add after Close: %v", err)
	}
}

// Routes of a LAN, of DHCP and of the user come first, whatever was there first;
// ours waits behind them and has the packets when they go. docs/node.md 7.10.
func TestSomebodyElsesRouteComesFirst(t *testing.T) {
	d := device(t)
	other := cable(t, "eth7", "192.0.2.1/24")
	_, dst, _ := net.ParseCIDR("10.9.0.0/16")
	theirs := &netlink.Route{LinkIndex: other.Attrs().Index, Dst: dst, Priority: 700, Gw: net.IPv4(192, 0, 2, 9)}
	must(t, netlink.RouteAdd(theirs))
	_, dst6, _ := net.ParseCIDR("fd4c:3254:1::/48")
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: other.Attrs().Index, Dst: dst6}))
	_, dead, _ := net.ParseCIDR("10.10.0.0/16")
	must(t, netlink.RouteAdd(&netlink.Route{Dst: dead, Type: unix.RTN_UNREACHABLE}))
	before := table(t)
	k := kernel(t, d)
	taken := map[string]string{"10.9.0.0/16": "eth7", "fd4c:3254:1::/48": "eth7", "192.0.2.0/24": "eth7", "10.10.0.0/16": "refuses packets"}
	for p, word := range taken {
		err := k.Add(netip.MustParsePrefix(p), 0)
		if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), p) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", p, err)
		}
	}
	part := netip.MustParsePrefix("192.0.2.77/32") // a part of it is the user's word
	must(t, k.Add(part, 1300))
	shadows := k.Shadows()
	if len(shadows) != len(taken) {
		t.Errorf("shadows %v", shadows)
	}
	for _, s := range shadows {
		if word := taken[s.Prefix.String()]; word == "" || !strings.Contains(s.By, word) {
			t.Errorf("shadow %+v", s)
		}
	}
	must(t, netlink.RouteDel(theirs))
	if dev := InterfaceTo(netip.MustParseAddr("10.9.1.1")); dev != "l2t" {
		t.Errorf("without their route packets go to %q", dev)
	}
	must(t, netlink.RouteAdd(theirs))
	if dev := InterfaceTo(netip.MustParseAddr("10.9.1.1")); dev != "eth7" {
		t.Errorf("with their route packets go to %q", dev)
	}
	must(t, k.Undo())
	if after := table(t); !slices.Equal(before, after) {
		t.Fatalf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// A LAN that comes later gets its packets, and its end brings ours back.
func TestLANThatComesLaterComesFirst(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	must(t, k.Add(netip.MustParsePrefix("192.0.2.0/24"), 1300))
	must(t, k.Add(netip.MustParsePrefix("2001:db8:7::/64"), 0))
	eth := cable(t, "eth7", "192.0.2.1/24")
	a, err := netlink.ParseAddr("2001:db8:7::1/64")
	must(t, err)
	a.Flags = unix.IFA_F_NODAD
	must(t, netlink.AddrAdd(eth, a))
	tuntest.AwaitAddress(t, netip.MustParseAddr("2001:db8:7::1"))
	for _, host := range []string{"192.0.2.20", "2001:db8:7::20"} {
		if dev := InterfaceTo(netip.MustParseAddr(host)); dev != "eth7" {
			t.Errorf("%s goes to %q", host, dev)
		}
	}
	if n := len(k.Shadows()); n != 2 {
		t.Errorf("%d shadows", n)
	}
	must(t, netlink.LinkDel(eth))
	if dev := InterfaceTo(netip.MustParseAddr("192.0.2.20")); dev != "l2t" || len(k.Shadows()) != 0 {
		t.Errorf("goes to %q, shadows %v", dev, k.Shadows())
	}
}

// Another node's route of just our metric is never replaced; ours takes the place
// when it is gone.
func TestRouteOfAnotherNodeIsLeftAlone(t *testing.T) {
	d := device(t)
	other := cable(t, "eth7", "192.0.2.1/24")
	theirs := &netlink.Route{LinkIndex: other.Attrs().Index, Dst: ipNet(examples[0]), Priority: Metric, Protocol: Protocol, Scope: unix.RT_SCOPE_LINK}
	must(t, netlink.RouteAdd(theirs))
	k := kernel(t, d)
	if err := k.Add(examples[0], 0); !errors.Is(err, ErrTaken) || len(k.List()) != 0 {
		t.Fatal(err, k.List())
	}
	if put, err := k.Ensure(); !errors.Is(err, ErrTaken) || len(put) != 0 {
		t.Fatal(put, err)
	}
	must(t, netlink.RouteDel(theirs))
	if put, err := k.Ensure(); err != nil || len(put) != 1 || len(k.List()) != 1 {
		t.Fatal(put, err)
	}
}

// What others remove comes back, with its MTU, also in the place of a connected
// route; what is there is not touched.
func TestEnsureRestoresOnlyWhatIsMissing(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	connected := netip.MustParsePrefix("10.77.0.0/24")
	all := append([]netip.Prefix{connected}, examples...)
	for _, p := range all {
		must(t, k.Add(p, 1300))
	}
	want := table(t)
	if put, err := k.Ensure(); err != nil || len(put) != 0 {
		t.Fatal(put, err)
	}
	for _, p := range []netip.Prefix{connected, examples[0], examples[3]} {
		gone := k.route(Route{Prefix: p})
		gone.Priority = 0 // whichever
		must(t, netlink.RouteDel(gone))
	}
	news := watch(t)
	put, err := k.Ensure()
	if err != nil || len(put) != 3 {
		t.Fatal(put, err)
	}
	if now := table(t); !slices.Equal(now, want) {
		t.Fatalf("before:\n%s\nafter:\n%s", strings.Join(want, "\n"), strings.Join(now, "\n"))
	}
	if got, _ := collect(news.Changes(), settle); got.OwnLost {
		t.Errorf("something was removed: %+v", got)
	}
}

// An address whose connected route ours stands for can go without a moment in
// which the prefix has no route.
func TestReleaseOutlivesTheAddress(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	p := netip.MustParsePrefix("10.77.0.0/24")
	must(t, k.Add(p, 1300))
	done, leaks := make(chan struct{}), make(chan string, 1)
	must(t, d.AddAddress(netip.MustParsePrefix("10.78.0.1/24"))) // not the last one: then the kernel drops all routes
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	must(t, err)
	t.Cleanup(h.Close)
	go func() {
		defer close(leaks)
		for {
			select {
			case <-done:
				return
			default:
			}
			if r, err := h.RouteGet(net.IPv4(10, 77, 0, 9)); err != nil || r[0].LinkIndex != d.Index() {
				select {
				case leaks <- "no route through the tunnel":
				default:
				}
			}
		}
	}()
	must(t, k.Release(p))
	must(t, d.RemoveAddress(netip.MustParsePrefix("10.77.0.1/24")))
	_, err = k.Ensure()
	close(done)
	for leak := range leaks {
		t.Error(leak)
	}
	must(t, err)
	var ours []string
	for _, r := range table(t) {
		if strings.Contains(r, "10.77.0.0/24") {
			ours = append(ours, r)
		}
	}
	if len(ours) != 1 || !strings.Contains(ours[0], "proto 108") {
		t.Errorf("%q", ours)
	}
}

// One prefix costs the same whatever else is in the table: the kernel lists the
// interface's own routes only.
func TestLargeTableCostsNothing(t *testing.T) {
	d := device(t)
	other := cable(t, "eth7", "192.0.2.1/24")
	for i := range 20000 {
		must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: other.Attrs().Index,
			Dst: &net.IPNet{IP: net.IPv4(20, byte(i>>8), byte(i), 0), Mask: net.CIDRMask(24, 32)}}))
	}
	k := kernel(t, d)
	n := 0
	must(t, k.lists.RouteListFilteredIter(netlink.FAMILY_V4, &netlink.Route{LinkIndex: d.Index(), Table: unix.RT_TABLE_MAIN}, 0,
		func(netlink.Route) bool { n++; return true }))
	if n > 10 {
		t.Errorf("the kernel has listed %d routes", n)
	}
	begin := time.Now()
	for i := range 50 {
		must(t, k.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i), 1}), 32), 0))
	}
	if per := time.Since(begin) / 50; per > 100*time.Millisecond {
		t.Errorf("%v a prefix", per)
	}
}

// A route that refuses packets while ours is gone (docs/guide.md) is no owner of
// the prefix, and stays as it is.
func TestRefusingRouteOfAWorseMetricIsPassedOver(t *testing.T) {
	d := device(t)
	last := uint32(4278198272) // an int of 32 bits does not hold it as a constant
	for _, dead := range []string{"10.9.0.0/16", "fd4c:3254:1::/48"} {
		_, dst, _ := net.ParseCIDR(dead)
		must(t, netlink.RouteAdd(&netlink.Route{Dst: dst, Type: unix.RTN_UNREACHABLE, Priority: int(last)}))
	}
	before := table(t)
	k := kernel(t, d)
	for _, p := range []string{"10.9.0.0/16", "fd4c:3254:1::/48"} {
		if err := k.Add(netip.MustParsePrefix(p), 0); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if len(k.List()) != 2 {
		t.Errorf("put %v", k.List())
	}
	must(t, k.Undo())
	if after := table(t); !slices.Equal(before, after) {
		t.Fatalf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

func TestAddRefusesWhatTheKernelWouldTake(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	for _, c := range []struct {
		prefix netip.Prefix
		mtu    int
		want   error
	}{
		{netip.Prefix{}, 0, ErrPrefix},
		{netip.MustParsePrefix("10.9.0.1/16"), 0, ErrPrefix},
		{netip.MustParsePrefix("::ffff:10.9.0.0/112"), 0, ErrPrefix},
		{examples[0], 1279, ErrMTU},
		{examples[0], 65536, ErrMTU},
		{examples[0], -1, ErrMTU},
	} {
		if err := k.Add(c.prefix, c.mtu); !errors.Is(err, c.want) {
			t.Errorf("%s mtu %d: %v, want %v", c.prefix, c.mtu, err, c.want)
		}
	}
	if len(k.List()) != 0 {
		t.Errorf("List: %v", k.List())
	}
}

func TestRoutesVanishWithTheDevice(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	for _, p := range examples {
		must(t, k.Add(p, 0))
	}
	must(t, d.Close())
	for _, r := range table(t) {
		if strings.Contains(r, "proto 108") {
			t.Errorf("left: %s", r)
		}
	}
	must(t, k.Undo()) // nothing to undo is no error
	if len(k.List()) != 0 {
		t.Errorf("List: %v", k.List())
	}
	if err := k.Add(examples[0], 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Add without the device: %v", err)
	}
}

func TestAddSaysThatTheDeviceIsDown(t *testing.T) {
	tuntest.Namespace(t)
	d, err := tun.Create(tun.Config{Name: "l2t"})
	must(t, err)
	defer d.Close()
	err = kernel(t, d).Add(examples[0], 0)
	if !errors.Is(err, unix.ENETDOWN) || !strings.Contains(err.Error(), "up first") {
		t.Fatal(err)
	}
}

// Elsewhere asks for many addresses in a call, and finds what as many calls find: routes of
// other interfaces, of other tables by a rule, and those that refuse, of both families.
func TestManyLookupsAnswerAsSingleOnes(t *testing.T) {
	d := device(t)
	k := kernel(t, d)
	for _, p := range []string{"10.77.0.0/16", "fd4c:3254::/32"} {
		if err := k.Cover(netip.MustParsePrefix(p)); err != nil {
			t.Fatal(err)
		}
	}
	eth := cable(t, "eth7", "192.0.2.1/24")
	for _, p := range []string{"10.77.3.0/25", "fd4c:3254:3::/48"} {
		must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: ipNet(netip.MustParsePrefix(p)), Scope: unix.RT_SCOPE_LINK}))
	}
	for _, p := range []string{"10.77.4.0/26", "fd4c:3254:4::/48"} {
		must(t, netlink.RouteAdd(&netlink.Route{Dst: ipNet(netip.MustParsePrefix(p)), Type: unix.RTN_UNREACHABLE}))
	}
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: ipNet(netip.MustParsePrefix("10.77.5.0/24")), Table: 100, Scope: unix.RT_SCOPE_LINK}))
	rule := netlink.NewRule()
	rule.Dst, rule.Table, rule.Family = ipNet(netip.MustParsePrefix("10.77.5.128/25")), 100, netlink.FAMILY_V4
	must(t, netlink.RuleAdd(rule))

	var all, want []netip.Prefix
	for i := range 700 {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(1 + i/128), byte(2 * i)}), 32))
		six := netip.MustParseAddr("fd4c:3254::1").As16()
		six[5], six[15] = byte(i/128), byte(i)
		all = append(all, netip.PrefixFrom(netip.AddrFrom16(six), 128))
	}
	all = append(all, netip.MustParsePrefix("198.51.100.1/32")) // no route leads there
	for _, p := range all {
		r, err := netlink.RouteGetWithOptions(p.Addr().AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
		if refusing(err) || err == nil && r[0].LinkIndex != d.Index() {
			want = append(want, p)
		}
	}
	for range 2 { // again on the same socket
		got, err := k.Elsewhere(all)
		if err != nil || !slices.Equal(got, want) || len(got) < 300 || len(got) > len(all)/2 {
			t.Fatalf("%d of %d are elsewhere, want %d: %v", len(got), len(all), len(want), err)
		}
	}
	must(t, k.Close())
	if got, err := k.Elsewhere(all); got != nil || err != nil {
		t.Error("after Close:", got, err)
	}
}
