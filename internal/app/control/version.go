package control

// Version is the program's version, the one that "l2tun --version" and status
// show.
const Version = "0.2.0"

// Program is what Status.Program holds for a node of this build.
func Program() string { return "l2tun " + Version }

// programHeader names the program in every answer of the socket.
const programHeader = "L2tun-Program"

// JSONVersion is the version of every JSON document but status, which has its
// own. It changes as StatusVersion does.
const JSONVersion = 1

// A Stamp begins every JSON document but status, which says the same.
type Stamp struct {
	Version int    `json:"version"` // JSONVersion
	Program string `json:"program"` // Program() of the one that wrote it
}

// NewStamp is this build's.
func NewStamp() Stamp { return Stamp{JSONVersion, Program()} }
