package confine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/portmap"
	"github.com/libertaria-project/l2tun/internal/proto/mapping"
	"github.com/libertaria-project/l2tun/test/router"
)

// The routers of the stage: one speaks PCP, the other UPnP alone.
var (
	here    = netip.MustParseAddr("127.0.0.1")
	routers = map[netip.Addr]router.Options{
		netip.MustParseAddr("127.79.0.1"): {PCP: true, External: netip.MustParseAddr("203.0.113.1")},
		netip.MustParseAddr("127.79.0.2"): {UPnP: true, External: netip.MustParseAddr("203.0.113.2")},
	}
)

// loopbackUp brings the loopback device of a new network namespace up.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
}

// serveRouters runs them until the process ends.
func serveRouters() (err error) {
	for at, o := range routers {
		err = errors.Join(err, router.New(o, time.Now()).Serve(at))
	}
	return err
}

// mapPort has each router map a port and takes it back, as a node with port_mapping does:
// by marked sockets, the search by multicast included.
func mapPort() error {
	var unmarked atomic.Value
	mark := func(_, _ string, c syscall.RawConn) error {
		err := c.Control(func(fd uintptr) {
			if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, 0x6c); err != nil {
				unmarked.Store(err)
			}
		})
		return err
	}
	var gateways []portmap.Gateway
	for at := range routers {
		gateways = append(gateways, portmap.Gateway{Router: at, Local: here})
	}
	m := portmap.Start(portmap.Config{Port: 4242, Gateways: func() ([]portmap.Gateway, error) { return gateways, nil }, Control: mark, Log: slog.New(slog.DiscardHandler)})
	defer m.Close()
	for end := time.Now().Add(20 * time.Second); len(m.Mappings()) < len(routers); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("%+v", m.Status())
		}
	}
	for _, s := range m.Status() {
		if want := routers[s.Gateway.Router]; s.Mapping.External != netip.AddrPortFrom(want.External, 4242) || want.UPnP != (s.Mapping.Protocol == mapping.UPnP) {
			return fmt.Errorf("%+v", s)
		}
	}
	err, _ := unmarked.Load().(error)
	return errors.Join(err, searchByMulticast(mark))
}

// searchByMulticast sends what a search of UPnP sends to everybody.
func searchByMulticast(control func(string, string, syscall.RawConn) error) error {
	lc := net.ListenConfig{Control: control}
	c, err := lc.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(here, 0).String())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WriteTo([]byte("M-SEARCH"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort("239.255.255.250:1900")))
	return err
}
