package main

import (
	"os"
	"runtime/debug"
)

// collectPercent is how much garbage may lie about for what is in use. The packet
// loops make none, so collecting early costs nothing there; a flood of handshakes
// makes much, and would double the process with Go's 100.
const collectPercent = 40

// collectEarly sets it for this process, unless GOGC in the environment says
// otherwise.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
}
