package control

// A Finding is something that is not as it should be, with what to do about it.
// Its code is stable; docs/troubleshooting.md has a section for each.
type Finding struct {
	Code  string `json:"code"`  // "L2T-401"
	Level string `json:"level"` // LevelNote, LevelWarning or LevelError
	About string `json:"about"` // a peer, a file, an interface; "" for the host
	What  string `json:"what"`  // one sentence
	Do    string `json:"do"`    // one sentence
}

// Levels of findings.
const (
	LevelNote    = "note"
	LevelWarning = "warning"
	LevelError   = "error"
)
