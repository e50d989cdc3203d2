package routing

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// told is what the watcher knows, as text in order.
func told(w *Watcher) string {
	var all []string
	for _, a := range w.Addresses() {
		s := a.Addr.String() + " in " + a.Network.String()
		if a.Ours {
			continue
		}
		if !a.Up {
			s += " down"
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// The watcher knows the host's addresses and networks from the kernel's messages
// alone: as it lists them at the start, and each change. Those in special space are
// not among them, and our own interface's are told apart. docs/node.md 7.11.
func TestAddressesFollowTheMessages(t *testing.T) {
	d := device(t)
	eth := cable(t, "eth7", "192.0.2.1/24")
	time.Sleep(settle)
	w := watch(t, d.Index())
	add := func(s string) func() error {
		return func() error {
			a, err := netlink.ParseAddr(s)
			must(t, err)
			return netlink.AddrAdd(eth, a)
		}
	}
	far := func() error {
		a, err := netlink.ParseAddr("198.51.100.1/32")
		must(t, err)
		a.Peer = ipNet(netip.MustParsePrefix("203.0.113.0/24"))
		return netlink.AddrAdd(eth, a)
	}
	const first = "192.0.2.1 in 192.0.2.0/24"
	for _, step := range []struct {
		name string
		do   func() error
		want string
		news bool
	}{
		{"the start", func() error { return nil }, first, false},
		{"link-local", add("169.254.7.7/16"), first, false},
		{"another length", add("192.0.2.1/25"), first + ", 192.0.2.1 in 192.0.2.0/25", true},
		{"it goes", func() error { a, _ := netlink.ParseAddr("192.0.2.1/25"); return netlink.AddrDel(eth, a) }, first, true},
		{"IPv6", add("2001:db8::1/64"), first + ", 2001:db8::1 in 2001:db8::/64", true},
		{"down, where IPv6 addresses go", func() error { return netlink.LinkSetDown(eth) }, first + " down", true},
		{"up", func() error { return netlink.LinkSetUp(eth) }, first, true},
		{"a far end", far, first + ", 198.51.100.1 in 203.0.113.0/24", true},
		{"our own device", func() error { return d.AddAddress(examples[1]) }, first + ", 198.51.100.1 in 203.0.113.0/24", false},
		{"an interface without addresses", func() error {
			return netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bare"}})
		}, first + ", 198.51.100.1 in 203.0.113.0/24", false},
		{"no interface", func() error { return netlink.LinkDel(eth) }, "", true},
	} {
		must(t, step.do())
		got := arrives(t, w.Changes(), func(all Change) bool { return told(w) == step.want && all.Networks == step.news })
		if is := told(w); is != step.want || got.Networks != step.news {
			t.Errorf("%s: %s (news: %v), want %s (%v)", step.name, is, got.Networks, step.want, step.news)
		}
		again := &Watcher{ignore: []int{d.Index()}, state: newHostState()}
		must(t, again.learn())
		if a, b := told(w), told(again); a != b {
			t.Errorf("%s: known from messages: %s; listed: %s", step.name, a, b)
		}
	}
	if !slices.Contains(w.Addresses(), HostAddress{Addr: examples[1].Addr(), Network: examples[1], Ours: true, Up: true, PointToPoint: true, Usable: true}) {
		t.Errorf("our own device's address is not known: %+v", w.Addresses())
	}
}

// A listing with holes forgets nothing that was known, and is made again.
func TestAListingWithHolesForgetsNothing(t *testing.T) {
	was, hole := newHostState(), newHostState()
	for i := range 2 {
		was.link(i, 0, true)
		was.address(i, []byte{10, byte(i), 0, 1}, []byte{10, byte(i), 0, 1}, 24, 0, true, false)
	}
	hole.link(2, 0, true)
	hole.address(2, []byte{10, 2, 0, 1}, []byte{10, 2, 0, 1}, 24, 0, true, false)
	if all := was.with(hole); len(all.addresses) != 3 || len(all.links) != 3 || len(was.addresses) != 2 {
		t.Errorf("%+v", all)
	}
}

func BenchmarkAddressesOf1000(b *testing.B) {
	s := newHostState()
	for i := range 1000 {
		p := netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.1/24", i/200, i%200)).Addr().AsSlice()
		s.address(i, p, p, 24, 0, true, false)
	}
	for b.Loop() {
		s.list()
	}
}
