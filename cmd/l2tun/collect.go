package main

import (
	"os"
	"runtime/debug"
	"time"
)

// collectPercent is how much garbage may lie about for what is in use. The packet
// loops make none, so collecting early costs direct and utcp nothing. quic-go makes
// some with each datagram, and a flood with each packet that reaches QUIC: scripts/faults
// H1 prints by how much the process grows, also with another GOGC.
const collectPercent = 25

// settleAfter is when the sessions of the start are established.
const settleAfter = 10 * time.Second

// settleMemory is for a node that is up. The start of one with thousands of peers makes
// several times the garbage that it keeps: collected early that would take longer than the
// rest of the start. From now on it is, and a moment later what the start has left goes
// back to the system, once: the collector would keep it for garbage to come.
func settleMemory() (stop func() bool) {
	collectEarly()
	return time.AfterFunc(settleAfter, debug.FreeOSMemory).Stop
}

// collectEarly sets it for this process, unless GOGC in the environment says
// otherwise.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
}
