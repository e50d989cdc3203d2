package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

// ErrNoEndpoint: nobody has told where the peer is.
var ErrNoEndpoint = errors.New("session: no endpoint is known for the peer")

// An Obstacle is what keeps this host from even trying an endpoint. It is the
// error of that endpoint.
type Obstacle struct {
	Kind     ObstacleKind
	Endpoint string // as configured, or the address that a name led to
	err      error
}

// An ObstacleKind says what is in the way. Its text is that of status.
type ObstacleKind string

const (
	Unresolvable ObstacleKind = "unresolvable" // the name leads to no address
	NoRoute      ObstacleKind = "no_route"     // this host has no route to the address
	OwnAddress   ObstacleKind = "own_address"  // the endpoint is this node itself
)

func (o *Obstacle) Error() string { return fmt.Sprintf("endpoint %s: %v", o.Endpoint, o.err) }

// Unwrap is the error of the resolver or of the host's routes.
func (o *Obstacle) Unwrap() error { return o.err }

// unresolved is the error of a name; a race that is over says nothing about it.
func unresolved(ctx context.Context, endpoint string, err error) error {
	var dns *net.DNSError
	if context.Cause(ctx) == context.Canceled || !errors.As(err, &dns) {
		return err
	}
	return &Obstacle{Unresolvable, endpoint, err}
}

// obstacle asks the network about a remote.
func obstacle(network link.Network, remote netip.AddrPort) error {
	c, ok := network.(link.Checker)
	if !ok {
		return nil
	}
	switch err := c.Check(remote); {
	case errors.Is(err, link.ErrOwnAddress):
		return &Obstacle{OwnAddress, remote.String(), err}
	case errors.Is(err, link.ErrNoRoute):
		return &Obstacle{NoRoute, remote.String(), err}
	}
	return nil
}
