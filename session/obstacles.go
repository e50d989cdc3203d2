package session

import "github.com/libertaria-project/l2tun/internal/net/dial"

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
