package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/names"
	"github.com/libertaria-project/l2tun/test/tuntest"
)

// loopbackUp brings the loopback device of a new network namespace up.
func loopbackUp(t *testing.T) {
	t.Helper()
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	must(t, err)
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	must(t, unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The first node of a host answers DNS, by UDP and TCP, and the next when that one has
// ended; beside another program that has the port, at another one.
func TestOneNodeOfAHostAnswersDNS(t *testing.T) {
	tuntest.Namespace(t)
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	start := func(name string) *responder {
		r := new(responder)
		r.start(filepath.Join(dir, name+".sock"), name, log)
		return r
	}
	loopbackUp(t)
	first, second := start("l2a"), start("l2b")
	if at, why := first.address(); at != "127.108.50.53:53" || why != "" || first.servedBy("l2a") != "l2a" {
		t.Error(at, why)
	}
	if at, why := second.address(); at != "" || !strings.Contains(why, "the node of l2a answers") || second.servedBy("l2b") != "l2a" {
		t.Error(at, why, second.servedBy("l2b"))
	}
	table, _ := names.NewTable([]names.Host{{Name: "nas", Addrs: []netip.Addr{netip.MustParseAddr("10.9.0.2")}}}, nil)
	first.set(table)
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, "127.108.50.53:53") // in this thread's namespace
		must(t, err)
		r := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
		if got, err := r.LookupNetIP(t.Context(), "ip4", "nas.l2."); err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", network, got, err)
		}
	}
	other, err := net.Listen("tcp", "127.0.0.1:53") // another program, on another address
	must(t, err)
	defer other.Close()
	first.close()
	again := start("l2b")
	if at, _ := again.address(); at != "127.108.50.53:53" {
		t.Error(at)
	}
	again.close()
	everywhere, err := net.Listen("tcp", "0.0.0.0:53") // one that has all
	if err == nil {
		defer everywhere.Close()
		last := start("l2b")
		if at, _ := last.address(); at != "127.108.50.53:1053" {
			t.Error(at)
		}
		last.close()
	}
}

// The config names its peers and the host itself; what no host can be called is left out.
func TestNamesOfAConfig(t *testing.T) {
	peer := func(n byte, name string, prefixes ...string) (p config.Peer) {
		p.Name, p.DID = name, did.FromDigest([32]byte{n})
		for _, s := range prefixes {
			p.AllowedIPs = append(p.AllowedIPs, netip.MustParsePrefix(s))
		}
		return p
	}
	c := &config.Config{Peers: []config.Peer{peer(1, "NAS", "fd4c:3254::1/128", "10.9.0.2/32", "192.168.7.0/24"), peer(2, "my phone", "10.9.0.3/32"), peer(3, ""), peer(4, "nas", "10.9.0.4/32"), peer(5, "pc", "10.9.0.5/32")}}
	own := []netip.Prefix{netip.MustParsePrefix("fd4c:3254::9/128"), netip.MustParsePrefix("10.9.0.1/24")}
	all, name, left := configNames(c, own, "laptop")
	if got := fmt.Sprint(all, left); name != "laptop" || got != "[{nas  [10.9.0.2 fd4c:3254::1]} {pc  [10.9.0.5]} {laptop  [10.9.0.1 fd4c:3254::9]}] [my phone nas]" {
		t.Error(got)
	}
	same := []names.Host{{Name: "nas", Addrs: single(c.Peers[0].AllowedIPs)}, {Name: "nas", Network: "home", Addrs: []netip.Addr{netip.MustParseAddr("fd4c:3254::1")}}, {Name: "tv", Addrs: single(c.Peers[4].AllowedIPs)}, {Name: "tv", Network: "home", Addrs: single(c.Peers[0].AllowedIPs)}}
	if !oneHost(same, "nas") || oneHost(same, "tv") {
		t.Error("one host of two names is told from two of one name")
	}
	for _, host := range []string{"pc", "", "my_host"} { // a peer's, and no names
		if all, name, _ := configNames(c, own, host); name != "" || len(all) != 2 {
			t.Errorf("%q: %v %q", host, all, name)
		}
	}
	if h := hostLabel(); h != strings.ToLower(h) || slices.Contains([]byte(h), '.') {
		t.Error(h)
	}
}
