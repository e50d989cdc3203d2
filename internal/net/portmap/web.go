package portmap

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
)

const (
	maxBody   = 64 << 10
	maxHeader = 16 << 10
)

var errElsewhere = errors.New("portmap: not the router's address")

// web is a client of HTTP that reaches the router's address and nothing else: it knows
// no names, proxies or redirections.
func (c *client) web() *http.Client {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.gateway.Local, 0)), Control: c.cfg.Control}
	return &http.Client{
		Timeout:       callTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: limited{&http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				to, err := netip.ParseAddrPort(address)
				if err != nil || to.Addr() != c.gateway.Router {
					return nil, errElsewhere
				}
				return d.DialContext(ctx, network, address)
			},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		}},
	}
}

// limited cuts what is read of an answer.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(req)
	if err == nil {
		answer.Body = body{io.LimitReader(answer.Body, maxBody), answer.Body}
	}
	return answer, err
}

type body struct {
	io.Reader
	io.Closer
}
