package faults

// framing is group T: frames of μTCP.
func framing() []Case {
	return []Case{
		{ID: "T1", Promise: "one byte a segment, and a split at every offset: the same frames", By: by("internal/net/utcp TestOneByteAtATime, TestFramesSplitAtEveryOffset")},
		{ID: "T2", Promise: "lengths 0, largest, largest + 1, 2^24-1 (the field has 24 bits): closed before the body, nothing allocated above one frame", By: by("internal/net/utcp TestFrameLengthsAreCheckedBeforeTheBody, TestALengthBuysOneFrameAtMost, TestStrangersAreToldNothing")},
		{ID: "T3", Promise: "tiny socket buffers, a slow reader, 10^5 records: none out of frame", By: slowly("internal/net/utcp TestFaultTinySocketBuffers")},
		{ID: "T4", Promise: "a peer that never reads: its queue is bounded, no Send to it waits, other peers get everything", By: slowly("internal/net/utcp TestDeafPeerCostsOthersNothing, TestPeerThatNeverReadsBlocksNothing, TestQueueOfRecordsIsBounded")},
		{ID: "T5", Promise: "10,000 idle connections before authentication: each closed in 5 s, memory +64 MiB at most, a bound for each address", By: slowly("internal/net/utcp TestFaultIdleStrangers, TestIdleStrangersAreBoundedAndSentAway, TestOneSourceHasItsLimitUntilProven")},
		{ID: "T6", Promise: "HTTP, TLS or garbage first: closed with 0 bytes sent", By: by("internal/net/utcp TestStrangersAreToldNothing, TestGarbageIsToldNothing")},
		{ID: "T7", Promise: "FIN or RST in a frame, half-close, zero window for 60 s: the error surfaces, another connection within 1 s", By: slowly("internal/net/utcp TestEndInsideAFrame, TestResetInsideAFrame, TestUTCPCrashOfThePeer, test/e2e TestFaultZeroWindow, TestFaultTCPResets"), Rate: "the zero window ends the connection after 10 s, so it lasts 15 s and not 60"},
		{ID: "T8", Promise: "a flipped bit in the stream: no partial or changed record is delivered; in a header the connection ends, in a record's body that record alone is dropped and counted", By: by("internal/net/utcp TestFlippedBits"),
			Instead: "the catalogue wants one close for any flip: measured, a flip in a body ends no connection, because TCP kept the frame's length and the AEAD drops exactly that record; closing would let whoever flips one bit end the link"},
	}
}
