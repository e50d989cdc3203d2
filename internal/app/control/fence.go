package control

// Fence is how far the node has shut itself in (docs/node.md 8.4).
type Fence struct {
	UID     int      `json:"uid"`     // user that the process runs as
	Missing []string `json:"missing"` // what the kernel does not let it shut, each a phrase
}

func (f *Fence) fill() {
	if f.Missing == nil {
		f.Missing = []string{}
	}
}
