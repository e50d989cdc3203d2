package faults

// lan is group D: discovery on the LAN.
func lan() []Case {
	return []Case{
		{ID: "D1", Promise: "a forged announcement of B: the endpoint stays until somebody proves to be B", By: slowly("internal/e2e TestSpoofedAnnouncementChangesNothing")},
		{ID: "D2", Promise: "100,000 identities announced: nothing is kept, memory +4 MiB at most", By: slowly("internal/e2e TestAnnouncedIdentitiesCostNoMemory")},
		{ID: "D3", Promise: "unicast from beyond a router: ignored", By: slowly("transport/discovery TestPeersBehindARouterAreNotFound, TestOthersAreNotHeard")},
		{ID: "D4", Promise: "answers no larger than questions, one a second for each source", By: slowly("transport/discovery TestAnswersAreNeverLargerThanQuestions, TestAnswersAreFewASecondPerSource")},
		{ID: "D5", Promise: "50 nodes start together: all find each other, no storm", By: slowly("transport/discovery TestManyNodesStartTogether")},
		{ID: "D6", Promise: "every length from 0 to 1500, own questions coming back, old ones replayed: nothing changes", By: slowly("transport/discovery TestGarbageOfEveryLengthChangesNothing, TestOwnQuestionsComeBackToNoEffect, TestReplaysAreAnsweredRarely")},
		{ID: "D7", Promise: "switched off: no socket", By: slowly("internal/e2e TestDiscoveryOffOpensNoSocket")},
	}
}
