package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// servers are the sockets of a router.
type servers struct {
	address netip.Addr
	web     *http.Server
	webAt   string
	conns   []net.PacketConn
	foreign net.PacketConn // nil: answers come from where the question went
	wg      sync.WaitGroup
	closing chan struct{}
}

// Serve answers on the sockets of an address: UDP 5351 and 1900, TCP any port.
func (r *Router) Serve(address netip.Addr) error {
	s := &r.servers
	s.address, s.closing = address, make(chan struct{})
	if r.o.Foreign.IsValid() {
		c, err := net.ListenPacket("udp", netip.AddrPortFrom(r.o.Foreign, 0).String())
		if err != nil {
			return err
		}
		s.foreign = c
	}
	if r.o.UPnP {
		if err := r.serveWeb(); err != nil {
			return errors.Join(err, r.Close())
		}
		if err := r.serveUDP(1900, func(b []byte, _ netip.AddrPort) [][]byte { return r.search(b) }); err != nil {
			return errors.Join(err, r.Close())
		}
	}
	if !r.o.PCP && !r.o.NATPMP {
		return nil
	}
	err := r.serveUDP(5351, func(b []byte, from netip.AddrPort) [][]byte { return r.Datagram(b, from, time.Now()) })
	if err != nil {
		return errors.Join(err, r.Close())
	}
	return nil
}

func (r *Router) serveWeb() error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", netip.AddrPortFrom(r.servers.address, 0).String())
	if err != nil {
		return err
	}
	r.servers.webAt = l.Addr().String()
	r.servers.web = &http.Server{Handler: http.HandlerFunc(r.http), ReadHeaderTimeout: 5 * time.Second}
	r.servers.wg.Go(func() { _ = r.servers.web.Serve(l) })
	return nil
}

func (r *Router) serveUDP(port uint16, answer func([]byte, netip.AddrPort) [][]byte) error {
	c, err := net.ListenPacket("udp", netip.AddrPortFrom(r.servers.address, port).String())
	if err != nil {
		return err
	}
	r.servers.conns = append(r.servers.conns, c)
	out := c
	if r.servers.foreign != nil {
		out = r.servers.foreign
	}
	r.servers.wg.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			at := from.(*net.UDPAddr).AddrPort()
			for _, a := range answer(b[:n], netip.AddrPortFrom(at.Addr().Unmap(), at.Port())) {
				r.pause()
				_, _ = out.WriteTo(a, from)
			}
		}
	})
	return nil
}

// pause is the time before an answer.
func (r *Router) pause() {
	r.mu.Lock()
	d := r.o.Delay
	r.mu.Unlock()
	select {
	case <-time.After(d):
	case <-r.servers.closing:
	}
}

// search answers a search for devices (UPnP Device Architecture 1.0, 1.2.3).
func (r *Router) search([]byte) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked["search"]++
	location := r.o.Location
	if location == "" {
		location = "http://" + r.servers.webAt + "/description.xml"
	}
	return [][]byte{fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nEXT:\r\nLOCATION: %s\r\nST: %s\r\nUSN: uuid:0::%[2]s\r\n\r\n",
		location, "urn:schemas-upnp-org:device:InternetGatewayDevice:1")}
}

// WebAt is the address of the HTTP server.
func (r *Router) WebAt() string { return r.servers.webAt }

// Close ends the sockets, once, and waits for who serves them.
func (r *Router) Close() error {
	s := &r.servers
	close(s.closing)
	for _, c := range s.conns {
		c.Close()
	}
	if s.foreign != nil {
		s.foreign.Close()
	}
	if s.web != nil {
		s.web.Close()
	}
	s.wg.Wait()
	return nil
}
