package faults

// fallback is group F: from one carrier to another.
func fallback() []Case {
	return []Case{
		{ID: "F1", Promise: "UDP is dropped in mid-flow: on μTCP within 3 s, the TCP flow survives, digests equal", By: slowly("test/e2e TestTransferOutlivesUDP")},
		{ID: "F2", Promise: "UDP blocked from the start: up within 3 s", By: slowly("test/e2e TestUpWithoutUDP")},
		{ID: "F3", Promise: "UDP is back: on QUIC within 30 s, no ping lost", By: slowly("test/e2e TestTransferOutlivesUDP")},
		{ID: "F4", Promise: "UDP comes and goes every 5 s: at most one switch of link in 30 s", By: slowly("test/e2e TestFlappingUDP, session TestFlappingIsDamped"),
			Rate: "20 s of flapping, 60 s in the full run, and 120 s in virtual time"},
		{ID: "F5", Promise: "UDP is rejected with ICMP in mid-flow: on μTCP and pings answered within 1 s", By: slowly("test/e2e TestFaultUDPRejected")},
		{ID: "F6", Promise: "UDP above 1250 bytes disappears: traffic of full size with don't-fragment within 5 s", By: slowly("test/e2e TestUnderlays")},
		{ID: "F7", Promise: "20, 50 and 80 % of UDP lost: the choice of carriers is stable and logged", By: slowly("test/e2e TestFaultLossyUDP")},
		{ID: "F8", Promise: "the μTCP connection is reset every 2 s: back within 1 s each time, session kept", By: slowly("test/e2e TestFaultTCPResets")},
		{ID: "F9", Promise: "both links blocked, freed one at a time: each is used within 2 s (TCP) and 30 s (UDP)", By: slowly("test/e2e TestFaultBothBlocked")},
		{ID: "F10", Promise: "records on both links at once: no inner packet twice", By: slowly("test/e2e TestFaultBothPathsAtOnce, internal/proto/record TestWindowTakesAShuffledRunOnce")},
		{ID: "F11", Promise: "an attacker blocks QUIC to force μTCP: same suite, bound in the transcript, logged", By: slowly("test/e2e TestFaultForcedToUTCP, handshake TestAnotherConnectionFails")},
		{ID: "F12", Promise: "one of two peers disappears at full load: transfers to the other go on, and its pings, of which at most 3 more are lost than before (its throughput: scripts/bench, row lost-peer)", By: slowly("test/e2e TestFaultBlackholedPeer"),
			Instead: "throughput and round trips are told, not judged: on two cores that the node shares with the traffic's own ends they are the scheduler's too; full load is 20 packets of 1200 bytes a millisecond, as many as the machine makes of it beside the rest (measured)"},
	}
}
