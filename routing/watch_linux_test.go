package routing

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// watch starts Watch and ends it with the test, waiting for its goroutine.
func watch(t *testing.T, ignore ...int) *Watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := Watch(ctx, ignore...)
	must(t, err)
	t.Cleanup(func() {
		cancel()
		for range w.Changes() {
		}
	})
	return w
}

// collect merges what comes within d of real time: the kernel is no bubble.
func collect(c <-chan Change, d time.Duration) (all Change, n int) {
	end := time.After(d)
	for {
		select {
		case x := <-c:
			all, n = all.merge(x), n+1
		case <-end:
			return all, n
		}
	}
}

// settle is how long nothing means that no more comes.
const settle = 300 * time.Millisecond

// arrives merges what comes until so is so, and what comes within settle of real time
// after that.
func arrives(t *testing.T, c <-chan Change, so func(all Change) bool) (all Change) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(all) && time.Now().Before(end); {
		got, _ := collect(c, 5*time.Millisecond)
		all = all.merge(got)
	}
	more, _ := collect(c, settle)
	return all.merge(more)
}

// has reports whether all of want is in it.
func (c Change) has(want Change) bool { return c.merge(want) == c }

func TestWatchTellsWhatChanged(t *testing.T) {
	d := device(t)
	eth := cable(t, "eth7", "192.0.2.1/24")
	time.Sleep(settle) // the carrier of both ends
	c := watch(t, d.Index()).Changes()
	if got, _ := collect(c, settle); got != (Change{}) {
		t.Fatalf("nothing happened: %+v", got)
	}
	addr, _ := netlink.ParseAddr("192.0.2.2/24")
	route := &netlink.Route{LinkIndex: eth.Attrs().Index, Dst: ipNet(examples[0])}
	another := &netlink.Route{LinkIndex: eth.Attrs().Index, Dst: ipNet(examples[0]), Protocol: Protocol, Priority: Metric}
	k := kernel(t, d)
	for _, step := range []struct {
		name string
		do   func() error
		want Change
	}{
		{"address added", func() error { return netlink.AddrAdd(eth, addr) }, Change{Addresses: true, Networks: true}},
		{"address renewed", func() error {
			again := *addr
			again.ValidLft, again.PreferedLft = 3000, 3000
			return netlink.AddrReplace(eth, &again)
		}, Change{}},
		{"address removed", func() error { return netlink.AddrDel(eth, addr) }, Change{Addresses: true, Networks: true}},
		{"route added", func() error { return netlink.RouteAdd(route) }, Change{Routes: true}},
		{"route removed", func() error { return netlink.RouteDel(route) }, Change{Routes: true}},
		{"another node's route", func() error { return netlink.RouteAdd(another) }, Change{Routes: true}},
		{"another node's route removed", func() error { return netlink.RouteDel(another) }, Change{Routes: true}},
		{"our route", func() error { return k.Add(examples[1], 1300) }, Change{}},
		{"our route removed", k.Undo, Change{OwnLost: true}},
		{"our address", func() error { return d.AddAddress(examples[1]) }, Change{}},
		{"our device's MTU", func() error { return d.SetMTU(1300) }, Change{}},
	} {
		must(t, step.do())
		if got := arrives(t, c, func(all Change) bool { return all.has(step.want) }); got != step.want {
			t.Errorf("%s: %+v, want %+v", step.name, got, step.want)
		}
	}
	must(t, netlink.LinkSetDown(eth))
	if got := arrives(t, c, func(all Change) bool { return all.Links }); !got.Links {
		t.Errorf("link down: %+v", got)
	}
}

func TestWatchMergesChangesThatWereNotRead(t *testing.T) {
	d := device(t)
	w := watch(t)
	c := w.Changes()
	must(t, kernel(t, d).Add(examples[0], 1300)) // another node's: no interface is ignored here
	for i := range 50 {
		a, err := netlink.ParseAddr(fmt.Sprintf("10.80.0.%d/32", i+1))
		must(t, err)
		must(t, netlink.AddrAdd(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: d.Index()}}, a))
	}
	for end := time.Now().Add(30 * time.Second); !strings.Contains(told(w), "10.80.0.50 ") && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // the last one is read
	}
	time.Sleep(settle)
	if got, n := collect(c, settle); n != 1 || got != (Change{Addresses: true, Routes: true, Networks: true}) {
		t.Fatalf("%d changes: %+v", n, got)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	device(t)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := Watch(ctx)
	must(t, err)
	cancel()
	for late := time.After(30 * time.Second); ; { // the device's own birth may be heard of yet
		select {
		case _, ok := <-w.Changes():
			if !ok {
				return
			}
		case <-late:
			t.Fatal("the channel stays open")
		}
	}
}

func TestHostStateSurvivesCutMessages(t *testing.T) {
	s := newHostState()
	for _, kind := range []uint16{unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_NEWLINK, unix.RTM_NEWROUTE, 0} {
		for n := range 40 {
			for _, fill := range []byte{0, 1, 4, 8, 255} {
				data := make([]byte, n)
				for i := range data {
					data[i] = fill
				}
				s.read(kind, 0, data, []int{1})
			}
		}
	}
}
