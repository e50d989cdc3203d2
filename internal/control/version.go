package control

// Version is the program's version, the one that "l2tun --version" and status
// show.
const Version = "0.1.0"

// Program is what Status.Program holds for a node of this build.
func Program() string { return "l2tun " + Version }
