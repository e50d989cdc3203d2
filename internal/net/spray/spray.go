package spray

import (
	"net"
	"net/netip"

	"golang.org/x/time/rate"
)

const (
	// numPorts and numKnocks make a success of 98 %: 1 - Π(1 - 128/(64512 - i)).
	numPorts  = 128
	numKnocks = 2048
	// leastPorts is how many ports are worth a spray.
	leastPorts = numPorts / 2
	// maxOpening bounds calls of OpenPorts at a time.
	maxOpening = 2
	// knockRate is how many knocks leave in a second, atOnce of them together. A node that
	// the processor was away from catches up knockBurst.
	knockRate  = 1000
	atOnce     = 10
	knockBurst = 64
	// firstPort is the first that NATs give away, and that a peer may be sought at.
	firstPort = 1024
	allPorts  = 1<<16 - firstPort
)

// A Config is what a Sprayer needs of the node's sockets.
type Config struct {
	// Open opens a socket with a port of its own.
	Open func() (*net.UDPConn, error)
	// Opener sends an opener from it, and reports whether that has left.
	Opener func(c *net.UDPConn, to netip.AddrPort) bool
	// Knock sends a knock to each remote from the port that the node has told.
	Knock func(remotes []netip.AddrPort)
}

// A Sprayer is that of a node.
type Sprayer struct {
	c       Config
	opening chan struct{} // one token a call
	pace    *rate.Limiter
}

// New makes one.
func New(c Config) *Sprayer {
	return &Sprayer{c: c, opening: make(chan struct{}, maxOpening), pace: rate.NewLimiter(knockRate, knockBurst)}
}
