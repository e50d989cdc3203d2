package faults

// lossy is group L: bad links.
func lossy() []Case {
	return []Case{
		{ID: "L1", Promise: "30 % loss each way, bursts of up to 3: 50 of 50 handshakes in 300 s, 95 of 100 within 10 s", By: slowly("test/e2e TestFaultHandshakesThroughLoss")},
		{ID: "L2", Promise: "a third dropped, at most 10 in a row: every handshake completes", By: slowly("test/e2e TestFaultHandshakesThroughRelays")},
		{ID: "L3", Promise: "the first datagram lost, the first three, each single one of the first 8, each way: every handshake completes with one attempt", By: slowly("test/e2e TestHandshakesThroughLossyRelays")},
		{ID: "L4", Promise: "30 % of the datagrams corrupted: 50 of 50 handshakes, no corrupt packet delivered", By: slowly("test/e2e TestFaultHandshakesThroughRelays")},
		{ID: "L5", Promise: "2 % loss, 2 % corruption: 2 MB arrive, digests equal", By: slowly("test/e2e TestFaultTransfersThroughRelays")},
		{ID: "L6", Promise: "reordering by 50 places and everything twice: nothing delivered twice, nothing good dropped", By: slowly("test/e2e TestFaultReorderedAndDoubled, internal/proto/record TestWindowTakesAShuffledRunOnce")},
		{ID: "L7", Promise: "750 ms round trip: exactly 1 handshake", By: slowly("test/e2e TestFaultLongRoundTrip")},
		{ID: "L8", Promise: "a line of 1 Mbit/s, full: the session never degrades, 99 of 100 answered pings below 200 ms, at most 5 in 100 lost", By: slowly("test/e2e TestFaultFullNarrowLine"),
			Instead: "of the answered pings, as ping counts, with a bound for the lost beside it: the line's queue of 50 ms holds four full packets, and in the half second in which the inner TCP's slow start overfills it, it drops whatever comes"},
		{ID: "L9", Promise: "inner packets of 1 to 9000 bytes, with and without don't-fragment: all arrive or are answered with too-big", By: slowly("test/e2e TestFaultEverySize")},
		{ID: "L10", Promise: "800 kbit/s, 450 ms, 8 % loss in bursts of up to 20, for 10 min: stays up", By: slowly("test/e2e TestFaultBadLineForLong"), Rate: "40 s instead of 10 min"},
		{ID: "L11", Promise: "a first flight of several datagrams, each lost, doubled, held back past the next in turn: every handshake completes", By: slowly("test/e2e TestHandshakesThroughLossyRelays, TestFaultHandshakesThroughRelays")},
	}
}
