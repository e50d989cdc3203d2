package faults

// reach is group N: hubs, meetings and circuits between nodes behind NATs.
func reach() []Case {
	return []Case{
		{ID: "N1", Promise: "50,000 datagrams under guessed labels, and 50,000 under a label in use from elsewhere: forwarded to nobody, answered to nobody, charged to nobody, and counted", By: by("internal/net/hub TestGuessedLabels, TestTheSourceIsChecked")},
		{ID: "N2", Promise: "a peer asks its hub for 100,000 meetings at once, and for 1,000 a second: 64 of its frames wait, its callee gets 150 in 10 s at most, and another peer is served at once", By: by("internal/net/hub TestAFloodOfMEET")},
		{ID: "N3", Promise: "a greedy source beside a modest one at a full hub: the modest one keeps 90 % of its share", By: by("internal/net/hub TestAGreedySourceBesideAModestOne")},
		{ID: "N4", Promise: "frames and circuit datagrams are lost, repeated and reordered, paths to and from the hub move and ends restart: a datagram reaches nobody but whom it is for, and each pair meets once the lines are whole", By: by("internal/net/hub TestHonestEndsMeetOverBadLines, internal/proto/relay TestHonestEndsAlwaysMeet")},
		{ID: "N5", Promise: "relay is switched off under circuits in use: nothing is forwarded from then on, both ends are told, and no label is left", By: by("internal/net/hub TestOffDropsEverything")},
		{ID: "N6", Promise: "a peer lists addresses of a third party as often as it can: what leaves for them is 256 KiB a second at most, and never goes to loopback, multicast, broadcast or ports below 1024; an error never makes an opener leave without its hop limit", By: by("internal/net/udp TestAThirdPartyGetsNoMoreThanTheBudget, TestAddressesThatGetNoOpener, TestAnOpenerNeverLeavesWithoutItsHopLimit, TestTheSocketSendsNoBroadcasts")},
		{ID: "N7", Promise: "hubs that come, go and say anything in any order: nothing leaves for a remote that is not open, addresses that were told cost no more than the budget, tables stay bounded", By: by("internal/proto/paths TestHubsThatSayAnything, TestNothingLeavesAtAClosedGate")},
		{ID: "N8", Promise: "frames of honest and dishonest ends, twice and out of order, with ids and labels that clash: a hub has the meetings and circuits that an oracle says", By: by("internal/proto/relay TestAgainstTheOracle, TestMeetingsUnderWayAreBounded")},
		{ID: "N9", Promise: "a hub with sessions of its own with both ends, and any set of leaked keys: it reads, forges and is taken for nothing beyond what an attacker on the path gets", By: by("test/symbolic TestAHubHasWhatThePathHas")},
		{ID: "N10", Promise: "a hub takes the labels off and sends packets of QUIC from its own port: the connection through the circuit does not move there, nothing reaches it, nothing is answered, and it goes on by the circuit; an address of circuits as a packet's source is dropped", By: by("transport TestHubCannotMoveAConnectionToItself, internal/net/udp TestForgedVirtualSourcesAreDropped")},
		{ID: "N11", Promise: "a peer floods its circuit with dials and with 8,000 first packets of QUIC: it has 4 connections as a stranger, no more packets are looked at than the limits say, and another circuit is served", By: by("transport TestFloodThroughACircuitIsBounded, internal/net/quicnet TestEachCircuitHasItsPlaces")},
		{ID: "N12", Promise: "a hub flips each bit of a circuit datagram, cuts it, repeats it, takes the label off, and swaps records into another circuit: each packet comes out once at most, as it was sent, and as its sender's", By: by("internal/packet/datapath TestHubThatFlipsRepeatsAndSwaps, TestRecordsComeByTheirOwnKindOfPath, TestNoCircuitInACircuit")},
		{ID: "N13", Promise: "50,000 datagrams under guessed labels, and 50,000 under an end's own label from elsewhere than its hub: nothing comes out, nothing is kept, and each is counted", By: by("internal/packet/datapath TestGuessedLabelsAtAnEnd, internal/net/circuit TestOnlyTheHubIsHeard")},
		{ID: "N14", Promise: "a hub flips bits of a fourth of the datagrams, sends each three times, in another order, or back to its sender: the session through it goes on, each message arrives once, whole and in order", By: by("session TestFaultAHubThatChangesWhatItForwards")},
		{ID: "N15", Promise: "a hub brings two homes together and forwards nothing: they are direct all the same", By: by("session TestFaultAHubThatWithholds")},
		{ID: "N16", Promise: "a hub names a third party in place of all candidates: the session goes on through it, and nothing is taken for a direct path", By: by("session TestFaultAHubThatLiesAboutCandidates")},
	}
}
