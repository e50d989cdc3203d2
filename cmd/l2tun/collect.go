package main

import (
	"os"
	"runtime/debug"
)

// collectPercent is how much garbage may lie about for what is in use. The packet
// loops make none, so collecting early costs direct and utcp nothing; quic-go makes
// some with each datagram, and a flood with each packet that reaches QUIC, and would double the process with Go's 100: of
// random bytes, 50,000 packets a second, it grows by 4.5 MiB with 25, 7.4 with 40.
const collectPercent = 25

// collectEarly sets it for this process, unless GOGC in the environment says
// otherwise.
func collectEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
}
