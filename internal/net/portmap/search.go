package portmap

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/mapping"
)

const (
	// searchTime is what a search may take, with the description of what it finds.
	searchTime = 3 * time.Second
	// searchAgain is when the question is repeated.
	searchAgain = 250 * time.Millisecond
)

// maxFound is the largest answer to a search that is read whole, in bytes.
const maxFound = 2048

// searchPacket asks gateways for their description (UPnP Device Architecture 1.0,
// 1.2.2); those of version 2 answer as well.
const searchPacket = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n" +
	"ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"

// search looks for a service of UPnP at the router, and posts what it has found.
func (c *client) search() {
	ctx, cancel := context.WithTimeout(c.ctx, searchTime)
	defer cancel()
	found, address := c.find(ctx)
	c.post(func(now time.Time) []mapping.Action {
		if found != nil {
			c.service = found
		}
		return c.machine.Found(address, now)
	})
}

// find asks the router alone and everybody in its network, because some answer only
// to one of both. Answers of others are dropped; the first of the router that names a
// place there decides.
func (c *client) find(ctx context.Context) (*service, netip.Addr) {
	lc := net.ListenConfig{Control: c.cfg.Control}
	pc, err := lc.ListenPacket(ctx, "udp4", netip.AddrPortFrom(c.gateway.Local, 0).String())
	if err != nil {
		return nil, netip.Addr{}
	}
	conn := pc.(*net.UDPConn)
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	b := make([]byte, maxFound)
	answers := 0
	for _, wait := range []time.Duration{searchAgain, searchTime} {
		for _, to := range []netip.Addr{c.gateway.Router, netip.AddrFrom4([4]byte{239, 255, 255, 250})} {
			_, _ = conn.WriteToUDPAddrPort([]byte(searchPacket), netip.AddrPortFrom(to, 1900)) // no answer says the same
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		for answers < maxAnswers {
			n, err := c.hear(conn, b)
			if err != nil {
				break
			}
			answers++
			if at := locate(b[:n], c.gateway.Router); at != nil {
				return c.open(ctx, at)
			}
		}
	}
	return nil, netip.Addr{}
}

// hear reads the next answer of the router to a search. What others send costs its
// reading.
func (c *client) hear(conn *net.UDPConn, b []byte) (int, error) {
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil || from.Addr().Unmap() == c.gateway.Router {
			return n, err
		}
	}
}

// locate reads where an answer to a search says that the description is; nil: nowhere
// at the router.
func locate(packet []byte, router netip.Addr) *url.URL {
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(packet)), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil
	}
	at, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || !isAt(at, router) {
		return nil
	}
	return at
}

// isAt says whether a URL is one by HTTP at the router's address.
func isAt(u *url.URL, router netip.Addr) bool {
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a == router && u.Scheme == "http" && u.User == nil
}
