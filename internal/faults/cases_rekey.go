package faults

// rekey is group R: rotation of keys.
func rekey() []Case {
	return []Case{
		{ID: "R1", Promise: "one rotation a second for 60 s under iperf3 and pings: none lost beyond the control, none twice, no record forged, goodput at least 95 % of the control",
			By: slowly("internal/e2e TestFaultRotationsUnderLoad")},
		{ID: "R2", Promise: "the same over μTCP", By: slowly("internal/e2e TestFaultRotationsUnderLoadOnUTCP")},
		{ID: "R3", Promise: "a rotation a second on links that lose 2 % and 10 %: inner loss at most the link's + 0.1 %",
			By: slowly("internal/e2e TestFaultRotationsOnLossyLinks")},
		{ID: "R4", Promise: "both ends rotate in the same instant, 1000 times: one epoch on both, at most one handshake too many, nothing lost",
			By: slowly("rotation TestBothRotateInTheSameInstant, session TestBothRotateAtOnce, internal/e2e TestBothEndsRotateAtOnce")},
		{ID: "R5", Promise: "every order of delivered, lost and delayed messages of crossing rotations: agreed within 3 round trips and the timers of what was lost",
			By: by("rotation TestEveryCollisionOrderConverges, TestAnAnswerThatDoesNotVerifyIsRetried")},
		{ID: "R6", Promise: "every rotation message dropped: established on the old keys up to a hard limit, each resend counted, no failure at the first timeout",
			By: by("session TestRotationRecoversBeforeTheHardStop, TestRotationPastTheHardStop, rotation TestFailedRotationKeepsTheCurrentEpochAndBacksOff")},
		{ID: "R7", Promise: "records of an old epoch after those of the new one: delivered for 60 s, then dropped and counted; the sender never goes back",
			By: by("session TestRecordsOfAnOldEpoch, rotation TestTwoMachinesConverge")},
		{ID: "R8", Promise: "epoch numbers next, last, beyond, 0 and 2^32-1: only authenticated next ones move state, no panic",
			By: by("rotation TestStrangeEventsChangeNothing, TestTheLastNumber, handshake TestShortEpochs")},
		{ID: "R9", Promise: "idle past the rekey time, then one packet: it arrives",
			By: by("session TestFirstMessageAfterIdleMinutes, rotation TestAPacketWakesAnIdleEpoch")},
		{ID: "R10", Promise: "a counter near its limit: rotation before, hard stop at the limit, no wrap",
			By: by("internal/record TestCounterNeverWraps, TestRecordLimits, TestByteLimits")},
		{ID: "R11", Promise: "kill -9 within a rotation, 50 times: traffic within 2 s of the restart, no stuck peer",
			By: slowly("internal/e2e TestFaultKilledInRotation")},
		{ID: "R12", Promise: "a peer that asks for 1000 rotations a second: 5 a second are answered, CPU at most 5 %",
			By: by("rotation TestAnswersAreLimited, handshake TestAnsweringRotationsCostsLittle")},
		{ID: "R13", Promise: "3600 rotations in an hour: memory grows by at most 1 MiB, no goroutine is left",
			By: by("session TestHourOfRotations"), Rate: "the hour is virtual"},
		{ID: "R14", Promise: "the receive key is installed before the peer may send under it",
			By: by("rotation TestTwoMachinesConverge, TestEveryCollisionOrderConverges")},
		{ID: "R15", Promise: "id, direction, number space and counter of 10^6 records over rotation, resumption and restart: all different",
			By: slowly("session TestNoNumberTwice")},
		{ID: "R16", Promise: "two processes from one saved state: no key serves both",
			By: by("session TestTwoProcessesFromOneSavedState")},
	}
}
