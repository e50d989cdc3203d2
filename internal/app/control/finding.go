package control

// A Finding is something that is not as it should be, with what to do about it.
// Its code is stable; docs/troubleshooting.md has a section for each.
type Finding struct {
	Code  string `json:"code"`  // "L2T-401"
	Level string `json:"level"` // LevelNote, LevelWarning or LevelError
	About string `json:"about"` // a peer, a file, an interface; "" for the host
	What  string `json:"what"`  // what is wrong, without what it is about
	Do    string `json:"do"`    // one sentence

	// Commands that do it, complete: one of them each, as root, on this host and on
	// the peer.
	Run      []string `json:"run"`
	RunThere []string `json:"run_there"`
}

func (f *Finding) fill() {
	if f.Run == nil {
		f.Run = []string{}
	}
	if f.RunThere == nil {
		f.RunThere = []string{}
	}
}

// Levels of findings.
const (
	LevelNote    = "note"
	LevelWarning = "warning"
	LevelError   = "error"
)
