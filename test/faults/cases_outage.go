package faults

// outage is group O: outages, restarts, roaming.
func outage() []Case {
	return []Case{
		{ID: "O1", Promise: "kill -9 of B and restart at once while A sends: traffic within 2 s", By: slowly("test/e2e TestFaultKillAndRestart")},
		{ID: "O2", Promise: "the same, B sends first: within 1 s", By: slowly("test/e2e TestFaultKillAndRestart")},
		{ID: "O3", Promise: "both killed and restarted: within 3 s", By: slowly("test/e2e TestFaultKillAndRestart")},
		{ID: "O4", Promise: "SIGTERM: the peer sees an authenticated close; device, routes and socket are gone within 1 s; a forged close is ignored",
			By: slowly("test/e2e TestFaultGoodbye, session TestForgedCloseIsIgnored")},
		{ID: "O5", Promise: "SIGSTOP of B for 1 s: back within 2 s of SIGCONT, no full handshake", By: slowly("test/e2e TestFaultStoppedForASecond")},
		{ID: "O6", Promise: "SIGSTOP of B for 35 s and 200 s: back within 2 s of SIGCONT, what waited is bounded by the queue, no record number twice",
			By:   slowly("test/e2e TestFaultStoppedForLong, internal/proto/record TestNoNumberIsGivenTwice"),
			Rate: "200 s at ten times the rate: 20 s with every session timer a tenth"},
		{ID: "O7", Promise: "5 s of network, 2 s of none, during 10 MB: digests equal, exactly 1 handshake", By: slowly("test/e2e TestFaultNetworkComesAndGoes")},
		{ID: "O8", Promise: "nothing passes one way: degraded within 10 s, traffic within 1 s of healing", By: slowly("test/e2e TestFaultOneWay")},
		{ID: "O9", Promise: "an outage of 30 s: traffic within 2 s of healing", By: slowly("test/e2e TestFaultHalfAMinute")},
		{ID: "O10", Promise: "an outage of 10 min: suspended, then back within 5 s of healing; backoff capped and jittered",
			By:   append(by("session TestBackAfterTenMinutes, internal/base/backoff TestBackoffIsCappedAndJittered"), slowly("test/e2e TestFaultTenMinutes")...),
			Rate: "10 min 37 s in virtual time; the program at fifty times the rate: 12 s with the session's times a fiftieth"},
		{ID: "O11", Promise: "the cable goes and comes 100 times: the session is the same, traffic within 2 s of the last time",
			By: slowly("test/e2e TestFaultFlappingCable"), Rate: "5 times a second instead of once"},
		{ID: "O12", Promise: "A's address changes under a TCP flow: gap at most 500 ms, same session, the flow survives", By: slowly("test/e2e TestNewAddressInMidFlow")},
		{ID: "O13", Promise: "a NAT gives A another port every 5 s during 10 MB: digests equal, no full handshake", By: slowly("test/e2e TestFaultRebinding")},
		{ID: "O14", Promise: "IPv4, then IPv6 only, then IPv4 outside: the session goes on, gap at most 5 s each", By: slowly("test/e2e TestFaultFamilies")},
		{ID: "O15", Promise: "a NAT that forgets after 2 s, heartbeat 1 s, 3 s of silence: pings from outside pass", By: slowly("test/e2e TestHeartbeatsKeepTheNATOpen")},
		{ID: "O16", Promise: "a NAT changes A's port in mid-flow: gap at most 500 ms, same session", By: slowly("test/e2e TestNATChangesThePort")},
		{ID: "O17", Promise: "a third host replays and forges B's records: the endpoint does not move",
			By: slowly("test/e2e TestReplaysAndForgeriesMoveNothing, session TestReplaysDoNotMoveThePeer")},
		{ID: "O18", Promise: "a third host passes B's records on faster than they come: the true path is back within a round trip of its next record",
			By: by("session TestRacingReplayer")},
		{ID: "O19", Promise: "local addresses come and go, a better route appears: pings pass within 1 s, 3 s where a cable is pulled; same session", By: slowly("test/e2e TestFaultLocalAddresses")},
		{ID: "O20", Promise: "1000 reconnects: as many descriptors and goroutines as before, live heap and stacks of both ends together at most 2 MiB more",
			By: slowly("transport TestFaultThousandConnections, session TestSessionsComeAndGo")},
	}
}
