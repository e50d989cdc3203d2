package session

import (
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/connect"
	"github.com/libertaria-project/l2tun/internal/net/dial"
)

// An Obstacle is what keeps this host from even trying an endpoint of a peer.
type Obstacle = dial.Obstacle

// An ObstacleKind says what is in the way. Its text is that of status.
type ObstacleKind = dial.ObstacleKind

// The kinds of obstacles.
const (
	Unresolvable = dial.Unresolvable // the name leads to no address
	NoRoute      = dial.NoRoute      // this host has no route to the address
	OwnAddress   = dial.OwnAddress   // the endpoint is this node itself
)

// Trouble is what a session knows to be wrong with this host or the peer's, which
// its state and reason do not say.
type Trouble struct {
	// Obstacles kept this host from trying endpoints when it last tried; none
	// once the session is established.
	Obstacles []Obstacle
	// Duplicates are where hosts are that take turns with the peer's key.
	Duplicates []netip.AddrPort
	// Displaced: the peer, which has not restarted, loses this session again and
	// again, as when another host uses this node's key.
	Displaced bool
}

// ErrVersion: the peer runs version 0.1.0, which has another protocol (SPEC 5.3).
var ErrVersion = connect.ErrVersion
