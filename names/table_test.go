package names

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
)

// A table answers as maps would, also of hosts without addresses, and of addresses that
// several have.
func TestTableIsWhatMapsWouldBe(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var hosts []Host
		forward, reverse := make(map[string][]netip.Addr), make(map[netip.Addr]string)
		for i := range random.IntN(40) {
			h := Host{Name: fmt.Sprintf("n%.*d", 1+random.IntN(4), i)}
			for range random.IntN(4) {
				h.Addrs = append(h.Addrs, netip.AddrFrom4([4]byte{10, 9, 0, byte(random.IntN(30))}))
			}
			if _, there := forward[h.Name]; there {
				continue
			}
			hosts = append(hosts, h)
			forward[h.Name] = h.Addrs
			for _, a := range h.Addrs {
				if old, has := reverse[a]; !has || len(h.Name) < len(old) || len(h.Name) == len(old) && h.Name < old {
					reverse[a] = h.Name
				}
			}
		}
		x, _ := NewTable(hosts, nil)
		for name, want := range forward {
			if got, exists := x.find(name); !exists || !slices.Equal(got, want) {
				t.Fatalf("%s has %v, %v; want %v", name, got, exists, want)
			}
		}
		for i := range 40 {
			a := netip.AddrFrom4([4]byte{10, 9, 0, byte(i)})
			want, there := reverse[a]
			if got, has := x.reverse(a); got != want || has != there {
				t.Fatalf("%v leads to %q, %v; want %q, %v", a, got, has, want, there)
			}
			if _, exists := x.find(fmt.Sprintf("m%d", i)); exists {
				t.Fatal("a name that no host has exists")
			}
		}
		if got := len(x.Known()); got != len(forward) {
			t.Fatalf("%d names are known of %d", got, len(forward))
		}
	}
}

// What a host takes beside its name: two addresses, and where they are.
func TestTableIsSmall(t *testing.T) {
	const n, most = 10_000, 100 // bytes a host
	hosts := make([]Host, n)
	for i := range hosts {
		v6 := netip.AddrFrom16([16]byte{0xfd, 14: byte(i >> 8), 15: byte(i)})
		hosts[i] = Host{Name: fmt.Sprintf("peer%d", i), Addrs: []netip.Addr{v6, netip.AddrFrom4([4]byte{10, 9, byte(i >> 8), byte(i)})}}
	}
	before := live()
	x, _ := NewTable(hosts, nil)
	each := (live() - before) / n
	runtime.KeepAlive(x)
	runtime.KeepAlive(hosts)
	if t.Log(each, "bytes a host"); each > most {
		t.Errorf("%d bytes a host, at most %d", each, most)
	}
}

func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
