package paths

// A Gate is what may leave for a remote.
type Gate uint8

const (
	// OpenGate lets everything pass. Every remote has it while no hub is known that
	// could open a closed one.
	OpenGate Gate = iota + 1
)

// gates judge remotes. Every probe, heartbeat and dial asks them.
type gates struct{}

// of is the gate of a path. A circuit's remote is its hub, which is open.
func (gates) of(*path) Gate { return OpenGate }
