package faults

// lan is group D: discovery on the LAN.
func lan() []Case {
	return []Case{
		{ID: "D1", Promise: "a forged announcement of B: the endpoint stays until somebody proves to be B", By: slowly("test/e2e TestSpoofedAnnouncementChangesNothing")},
		{ID: "D2", Promise: "100,000 identities announced: nothing is kept, memory +4 MiB at most", By: slowly("test/e2e TestAnnouncedIdentitiesCostNoMemory")},
		{ID: "D3", Promise: "unicast from beyond a router: ignored", By: slowly("transport/discovery TestPeersBehindARouterAreNotFound, TestOthersAreNotHeard")},
		{ID: "D4", Promise: "answers no larger than questions, for each source four at once and then one a second", By: slowly("transport/discovery TestAnswersAreNeverLargerThanQuestions, TestAnswersAreFewASecondPerSource"),
			Instead: "the catalogue wants one a second at most: measured, 13 or 14 in the first 10 s. Sources share 256 buckets by a hash, so that a flood of them costs no memory; with one answer for a bucket, of two nodes that share one and start together only one would be answered"},
		{ID: "D5", Promise: "50 nodes start together: all find each other, no storm", By: slowly("transport/discovery TestManyNodesStartTogether")},
		{ID: "D6", Promise: "every length from 0 to 1500, own questions coming back: nothing changes; a question replayed, at once or after 61 s, leads only to the address that it was made for, and from another one to nothing", By: slowly("transport/discovery TestGarbageOfEveryLengthChangesNothing, TestOwnQuestionsComeBackToNoEffect, TestReplaysAreAnsweredRarely"),
			Instead: "the catalogue wants no effect of a replay of more than 60 s: there is one, the same as of the question itself. Without a date, which hosts on a LAN need not agree on, an old question cannot be told from a new one; it is a guess, which a handshake has to prove"},
		{ID: "D7", Promise: "switched off: no socket", By: slowly("test/e2e TestDiscoveryOffOpensNoSocket")},
	}
}
