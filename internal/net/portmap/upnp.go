package portmap

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/huin/goupnp"
	"github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/huin/goupnp/soap"

	"github.com/libertaria-project/l2tun/internal/proto/mapping"
)

const (
	// callTime is what asking for a port, or giving it back, may take.
	callTime = 3 * time.Second
	// maxServices bounds the connections of a router that are tried.
	maxServices = 4

	// Errors of UPnP (WANIPConnection 2.4.16).
	conflictInMapping   = 718
	onlyPermanentLeases = 725
)

// A service is the connection of a router to the Internet: what the three types of
// goupnp have in common.
type service struct {
	calls
	soap *soap.SOAPClient
}

type calls interface {
	GetExternalIPAddressCtx(context.Context) (string, error)
	AddPortMappingCtx(ctx context.Context, remote string, external uint16, protocol string, internal uint16, client string, enabled bool, description string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, remote string, external uint16, protocol string) error
}

// open reads the description at a URL and returns the first connection in it that has
// an address, and that address.
func (c *client) open(ctx context.Context, at *url.URL) (*service, netip.Addr) {
	web := c.web()
	root, err := describe(ctx, web, at)
	if err != nil {
		return nil, netip.Addr{}
	}
	for _, s := range services(root, at, c.gateway.Router) {
		s.soap.HTTPClient = *web
		text, err := s.GetExternalIPAddressCtx(ctx)
		if address, bad := netip.ParseAddr(text); err == nil && bad == nil && address.Is4() {
			return s, address
		}
	}
	return nil, netip.Addr{}
}

func describe(ctx context.Context, web *http.Client, at *url.URL) (*goupnp.RootDevice, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := web.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("portmap: description: %s", answer.Status)
	}
	return readDescription(answer.Body, at)
}

// readDescription reads the description of a device that was found at a URL.
func readDescription(r io.Reader, at *url.URL) (*goupnp.RootDevice, error) {
	root := new(goupnp.RootDevice)
	d := xml.NewDecoder(r)
	d.DefaultSpace = goupnp.DeviceXMLNamespace
	if err := d.Decode(root); err != nil {
		return nil, err
	}
	base := at
	if root.URLBaseStr != "" {
		var err error
		if base, err = url.Parse(root.URLBaseStr); err != nil {
			return nil, err
		}
	}
	root.SetURLBase(base)
	return root, nil
}

// services are the first connections of a description that are called at the router's
// address, those of version 2 before the others.
func services(root *goupnp.RootDevice, at *url.URL, router netip.Addr) (all []*service) {
	ip2, _ := internetgateway2.NewWANIPConnection2ClientsFromRootDevice(root, at) // an error says that there is none
	for _, c := range ip2 {
		all = append(all, &service{c, c.SOAPClient})
	}
	ip1, _ := internetgateway2.NewWANIPConnection1ClientsFromRootDevice(root, at)
	for _, c := range ip1 {
		all = append(all, &service{c, c.SOAPClient})
	}
	ppp, _ := internetgateway2.NewWANPPPConnection1ClientsFromRootDevice(root, at)
	for _, c := range ppp {
		all = append(all, &service{c, c.SOAPClient})
	}
	all = slices.DeleteFunc(all, func(s *service) bool { return !isAt(&s.soap.EndpointURL, router) })
	return all[:min(len(all), maxServices)]
}

// add asks a service for an external port, and posts how that ended. A router that
// knows no leases gets one without an end, which is given back by Close.
func (c *client) add(s *service, port uint16) {
	ctx, cancel := context.WithTimeout(c.ctx, callTime)
	defer cancel()
	err := c.addFor(ctx, s, port, uint32(mapping.Lease/time.Second))
	if code(err) == onlyPermanentLeases {
		err = c.addFor(ctx, s, port, 0)
	}
	how := mapping.Done
	switch {
	case code(err) == conflictInMapping:
		how = mapping.Taken
	case err != nil:
		how = mapping.Failed
	}
	c.post(func(now time.Time) []mapping.Action { return c.machine.Called(port, how, now) })
}

func (c *client) addFor(ctx context.Context, s *service, port uint16, lease uint32) error {
	return s.AddPortMappingCtx(ctx, "", port, "UDP", c.cfg.Port, c.gateway.Local.String(), true, "l2tun", lease)
}

// remove gives an external port back.
func (c *client) remove(s *service, port uint16) {
	ctx, cancel := context.WithTimeout(c.ctx, callTime)
	defer cancel()
	_ = s.DeletePortMappingCtx(ctx, "", port, "UDP") // the lease ends by itself
	c.post(func(time.Time) []mapping.Action { return c.machine.Deleted() })
}

// code is the error of UPnP in an answer; 0: it is another.
func code(err error) int {
	var fault *soap.SOAPFaultError
	if !errors.As(err, &fault) {
		return 0
	}
	return fault.Detail.UPnPError.Errorcode
}
