package faults

// hostile is group H: packets by attackers.
func hostile() []Case {
	return []Case{
		{ID: "H1", Promise: "10^6 random datagrams of 0-1500 bytes, 25,000 to 50,000 a second: no panic, memory +8 MiB at most, the live flow keeps 90 %, at most 10 log lines a second", By: slowly("test/e2e TestFaultRandomDatagrams")},
		{ID: "H2", Promise: "the same behind a valid header or connection id", By: slowly("test/e2e TestFaultRandomRecords")},
		{ID: "H3", Promise: "each handshake message at every length from 0 to 1.2 times the longest: error, no output, and the right one works after it", By: by("handshake TestEveryOtherLengthIsMalformed, TestErrorsLeaveDstAlone"),
			Instead: "the right one is read by the next attempt: a wrong one erases its own, because messages come on an ordered stream or in an authenticated record, where nobody but the peer can have put it"},
		{ID: "H4", Promise: "10,000 half-open QUIC handshakes from forged addresses within 2.5 s: memory +16 MiB at most, an honest peer in 2 s, Retry seen, all freed in 30 s (6 s later the same again needs 4 MiB more at most)", By: slowly("test/e2e TestFaultHalfOpenFlood")},
		{ID: "H5", Promise: "one packet each from 100,000 addresses: tables evict, memory +16 MiB at most", By: slowly("test/e2e TestFaultManySources, internal/net/udp TestForgedSourcesAreBoundedAndPushOutNothingInUse, internal/net/quicnet TestSmallInitialsAreBounded")},
		{ID: "H6", Promise: "50,000 wrong first packets a second: the live flow keeps 50 %, no more bytes out than in", By: slowly("test/e2e TestFaultWrongHellos")},
		{ID: "H7", Promise: "no more bytes out than in before an address is proven, on QUIC too (the catalogue allows QUIC 3)", By: slowly("test/e2e TestFaultNoAmplification, internal/net/utcp TestStrangersAreToldNothing, internal/net/quicnet TestAmplificationLimitUnderAFlood")},
		{ID: "H8", Promise: "every captured record 10 times: none delivered, replay counter = number sent", By: slowly("test/e2e TestFaultReplays")},
		{ID: "H9", Promise: "a first flight replayed, also after a restart: no session, no state", By: slowly("session TestReplayedFlightChangesNothing, TestStolenFlightIsOneEntryAndNoState, test/e2e TestFaultFirstFlightReplayed")},
		{ID: "H10", Promise: "forged Retry and Version Negotiation: the session comes up within 5 s", By: slowly("test/e2e TestFaultForgedQUIC")},
		{ID: "H11", Promise: "1000 handshakes in B's name that prove nothing: B is never locked out, only the source's budget shrinks", By: by("session TestScenario1_4_NobodyLocksOutAPeer, internal/net/connect TestRateLimitIsPerPrefix")},
		{ID: "H12", Promise: "right signature under another identity, and the own identity: refused", By: by("handshake TestWrongSignatureUnderRightKeysIsAuthenticationFailed, TestKeysOfAnotherAreRefused, TestOneselfIsRefused")},
		{ID: "H13", Promise: "low-order X25519 points, malformed ML-KEM keys and ciphertexts: refused, without an answer", By: by("handshake TestLowOrderEphemeralsAreMalformed, TestMLKEMKeyCheckAgreesWithTheStandardLibrary, TestEveryByteCounts, did TestKeySetRefusesBadKeys")},
		{ID: "H14", Promise: "forged ICMP too-big for 68, 552 and 1279 bytes: alive, room not below 1280, at most 5 packets more lost than before", By: slowly("test/e2e TestFaultForgedTooBig")},
		{ID: "H15", Promise: "10^5 forged stateless resets, half of them in A's name: alive, at most 10 packets out to anybody, A included, beyond what is sent without them", By: slowly("test/e2e TestFaultForgedResets")},
		{ID: "H16", Promise: "an authenticated peer's unknown types, versions and flags: dropped and counted", By: by("internal/packet/datapath TestFramesReachTheSession, TestUnknownFramesAreCounted, handshake TestEveryMessageInEveryPlace")},
		{ID: "H17", Promise: "floods of PATH_CHALLENGE, connection ids, key updates, streams, CRYPTO gaps: memory +16 MiB at most, the flooding client's own included", By: slowly("internal/net/quicnet TestFaultQUICFrameFloods")},
		{ID: "H18", Promise: "a peer that takes datagrams of 0, 1, 20 or 100 bytes: no panic; dropped and counted, or refused", By: slowly("internal/net/quicnet TestFaultTinyDatagramLimits")},
		{ID: "H19", Promise: "early HANDSHAKE_DONE, data in 0-RTT, data before authentication: refused", By: slowly("internal/net/quicnet TestFaultEarlyFrames, TestFaultDataInTheFirstFlight, internal/packet/datapath TestEarlyRecordsAreHeld, session TestStolenFlightIsOneEntryAndNoState, TestNothingIsAnsweredBeforeTheHandshake")},
	}
}
