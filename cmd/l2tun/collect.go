package main

import (
	"os"
	"runtime/debug"
)

// collectPercent is how much garbage may lie about for what is in use. The packet
// loops make none, so collecting early costs direct and utcp nothing. quic-go makes
// some with each datagram, and a flood with each packet that reaches QUIC: scripts/faults
// H1 prints by how much the process grows, also with another GOGC.
const collectPercent = 25

// collectEarly sets it for this process, unless GOGC in the environment says
// otherwise.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
}
