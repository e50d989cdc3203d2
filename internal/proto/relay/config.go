package relay

// A DID is the digest of a peer's DID.
type DID [32]byte

// A Label names a circuit at who receives under it. It has the form of a record id.
type Label [7]byte

// Valid reports whether a label has the form of a record id.
func (l Label) Valid() bool { return l[0]&0x80 != 0 }

// A Circuit is a handle of a circuit, never used twice. 0 is none.
type Circuit uint64

// A Mode says for whom a node is a hub.
type Mode uint8

const (
	Off     Mode = iota
	Peers        // for peers of its config
	Network      // for members of its networks too
)

var modeNames = [...]string{"off", "peers", "network"}

func (m Mode) String() string { return modeNames[m] }

// A Standing is what a peer is to the hub.
type Standing uint8

const (
	Stranger Standing = iota // it has a session, and nothing else
	Member                   // of one of the hub's networks
	Static                   // of the hub's config
)

var standingNames = [...]string{"stranger", "member", "static"}

func (s Standing) String() string { return standingNames[s] }

const (
	// defaultPeerCircuits and defaultCircuits bound circuits of a peer and in all.
	defaultPeerCircuits = 64
	defaultCircuits     = 65_536
	// maxAsks bounds meetings under way that one peer has asked for.
	maxAsks = 64
	// maxAsked bounds those for which one peer was asked. A peer that answers has few
	// under way, whoever asks.
	maxAsked = 256
)

// A Config is fixed for the life of a machine, but for its mode.
type Config struct {
	Mode Mode
	// Draw returns a random label that is in use for nothing at this node, record
	// ids among it.
	Draw func() Label
	// PeerCircuits and Circuits bound the circuits of a peer and in all; 0 is 64 and
	// 65,536.
	PeerCircuits, Circuits int
}

func (c Config) withDefaults() Config {
	if c.PeerCircuits == 0 {
		c.PeerCircuits = defaultPeerCircuits
	}
	if c.Circuits == 0 {
		c.Circuits = defaultCircuits
	}
	return c
}

// admits reports whether a peer may use circuits.
func (c *Config) admits(p *peer) bool {
	return c.Mode == Peers && p.facts.standing == Static || c.Mode == Network && p.facts.standing != Stranger
}
