package tun_test

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// premade makes a device as another program would and returns its descriptor,
// which tun.Create gets.
func premade(t *testing.T, name string, flags uint16) int {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if flags == 0 {
		return fd
	}
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		t.Fatal(err)
	}
	ifr.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		t.Fatal(err)
	}
	return fd
}

// own is a copy, so that the test's descriptor stays the test's.
func own(t *testing.T, fd int) int {
	t.Helper()
	c, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const plain = unix.IFF_TUN | unix.IFF_NO_PI

func TestPassedDeviceCarriesPackets(t *testing.T) {
	for name, flags := range map[string]uint16{"with headers": plain | unix.IFF_VNET_HDR, "without headers": plain} {
		t.Run(name, func(t *testing.T) {
			tuntest.Namespace(t)
			fd := premade(t, "l2t", flags)
			d, err := tun.Create(tun.Config{Name: "l2t", FD: own(t, fd)})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if d.Offload() != (flags != plain) {
				t.Error("offload is", d.Offload())
			}
			if err := errors.Join(d.AddAddress(ours4), d.Up()); err != nil {
				t.Fatal(err)
			}
			b := tun.NewBatch(tun.BatchSize, 65536, 32)
			answer := read(d, b)
			request := echoRequest(theirs4, ours4.Addr())
			if n, err := d.Write([]tun.Packet{packet(request)}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if r := receive(t, answer); r.err != nil || len(r.packets) != 1 || !bytes.Equal(r.packets[0][24:], request[24:]) {
				t.Errorf("not the answer: %x %v", r.packets, r.err)
			}
		})
	}
}

// Somebody else still has the device when we leave: nothing of ours stays on it.
func TestPassedDeviceIsGivenBackAsItWas(t *testing.T) {
	tuntest.Namespace(t)
	fd := premade(t, "l2t", plain|unix.IFF_VNET_HDR)
	before, err := netlink.LinkByName("l2t")
	if err != nil {
		t.Fatal(err)
	}
	theirs := &netlink.Addr{IPNet: netlink.NewIPNet([]byte{10, 78, 0, 1})}
	if err := netlink.AddrAdd(before, theirs); err != nil {
		t.Fatal(err)
	}
	d, err := tun.Create(tun.Config{Name: "l2t", MTU: 1300, FD: own(t, fd)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.AddAddress(ours4), d.AddAddress(ours6), d.Up()); err != nil {
		t.Fatal(err)
	}
	if d.MTU() != 1300 {
		t.Error("MTU", d.MTU())
	}
	r := read(d, tun.NewBatch(1, 65536, 16))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if r := receive(t, r); r.err != os.ErrClosed {
		t.Error(r.err)
	}
	after, err := netlink.LinkByName("l2t")
	if err != nil {
		t.Fatal("the device has gone with us:", err)
	}
	if b, a := before.Attrs(), after.Attrs(); a.MTU != b.MTU || a.RawFlags&unix.IFF_UP != b.RawFlags&unix.IFF_UP {
		t.Errorf("MTU %d, flags %x; before %d, %x", a.MTU, a.RawFlags, b.MTU, b.RawFlags)
	}
	addrs, err := netlink.AddrList(after, netlink.FAMILY_ALL)
	if err != nil || len(addrs) != 1 || !addrs[0].IP.Equal(theirs.IP) {
		t.Errorf("addresses %v, %v", addrs, err)
	}
}

func TestWrongDescriptorsAreNamed(t *testing.T) {
	tuntest.Namespace(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	good := premade(t, "l2t", plain|unix.IFF_VNET_HDR)
	for _, c := range []struct {
		want, name string
		fd         int
	}{
		{"descriptor 987654 is not open", "l2t", 987654},
		{"is of something else", "l2t", int(null.Fd())},
		{"has no device yet", "l2t", premade(t, "", 0)},
		{"tap9 is not a TUN device", "tap9", premade(t, "tap9", unix.IFF_TAP|unix.IFF_NO_PI)},
		{"pi9 was made without IFF_NO_PI", "pi9", premade(t, "pi9", unix.IFF_TUN)},
		{"mq9 has several queues", "mq9", premade(t, "mq9", plain|unix.IFF_MULTI_QUEUE)},
		{"its device is called other9, not l2t", "l2t", premade(t, "other9", plain)},
	} {
		if _, err := tun.Create(tun.Config{Name: c.name, FD: c.fd}); !errors.Is(err, tun.ErrDescriptor) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	if d, err := tun.Create(tun.Config{Name: "l2t", FD: own(t, good)}); err != nil {
		t.Error(err)
	} else {
		d.Close()
	}
}

// A namesake in our own namespace must not be taken for the device.
func TestPassedDeviceOfAnotherNamespaceIsRefused(t *testing.T) {
	elsewhere := make(chan int)
	done, left := make(chan struct{}), make(chan struct{})
	go t.Run("elsewhere", func(t *testing.T) {
		defer close(left)
		defer close(elsewhere)
		runtime.LockOSThread()
		tuntest.Namespace(t)
		elsewhere <- premade(t, "l2t", plain|unix.IFF_VNET_HDR)
		<-done
	})
	fd, ok := <-elsewhere
	if !ok {
		t.Skip("no other namespace")
	}
	defer func() { close(done); <-left }()
	tuntest.Namespace(t)
	premade(t, "l2t", plain)
	if _, err := tun.Create(tun.Config{Name: "l2t", FD: fd}); !errors.Is(err, tun.ErrDescriptor) || !strings.Contains(err.Error(), "not in this network namespace") {
		t.Error(err)
	}
}
