package control

// Sandbox is what the node has taken from itself (docs/node.md 8.4).
type Sandbox struct {
	UID     int      `json:"uid"`     // user that the process runs as
	Missing []string `json:"missing"` // what the kernel leaves open, each a phrase
}

func (x *Sandbox) fill() {
	if x.Missing == nil {
		x.Missing = []string{}
	}
}
