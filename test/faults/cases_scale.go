package faults

// scale is group M: scale, models, fuzzing.
func scale() []Case {
	return []Case{
		{ID: "M1", Promise: "1000 peers in one process: at most 64 KiB of heap each, idle CPU at most 2 %", By: slowly("session TestFaultThousandPeers")},
		{ID: "M2", Promise: "100 peers return at once: all up in 10 s, the middle half of them over 100 ms at least", By: slowly("test/e2e TestFaultHundredPeers")},
		{ID: "M3", Promise: "10^6 random events against the table of states: no illegal transition, each refusal counted, each entry with its cause", By: by("internal/proto/state TestTableWalk, session TestSessionOnRandomEvents, TestRefusedEventChangesNothing")},
		{ID: "M4", Promise: "a random adversary: a genuine message is always accepted, no message starts a session twice", By: by("session TestRandomAdversary, handshake TestEachAnswerWithoutAProofIsTakenOnce")},
		{ID: "M5", Promise: "at least 12 fuzz targets, one for each kind of input that the catalogue names, each with its corpus: every seed passes, and a second of fuzzing each", By: slowly("test/faults TestFuzzTargets, TestFaultFuzzing"), Rate: "1 s each, 5 s in the full run; scripts/test fuzzes each for 10 s, scripts/fuzz for as long as one likes"},
		{ID: "M6", Promise: "the next version and this one, in both roles: all works; version 0.1.0 and this one: both ends say so; a version without hubs and circuits and this one: all works in both roles, and at a hub it is offered no circuit", By: slowly("test/e2e TestFaultNeighbouringVersions, TestFaultVersionWithoutCircuits, TestFaultAPeerWithoutCircuitsAtAHub, TestFaultVersion010, test/second TestInterop, session TestAPeerOfVersion010IsNamed, TestAnInitiatorOfVersion010IsAnswered")},
		{ID: "M7", Promise: "no http3, no QPACK, no module in the program that is not on the list of those looked at; govulncheck finds nothing", By: slowly("test/faults TestDependencyClosure, TestFaultKnownVulnerabilities"),
			Instead: "where the database of vulnerabilities cannot be reached, govulncheck cannot look: the figure then says so, and the list of modules is what is held"},
		{ID: "M8", Promise: "random roaming, restarts, partitions and rotations against a model: every message once and in order, or a named loss", By: by("session TestModelOfALife, TestMessagesThroughChaos")},
	}
}
