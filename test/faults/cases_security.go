package faults

// security is group S: the findings of the security review, each attack as it was
// made.
func security() []Case { return append(ofFirstReview(), ofLaterReviews()...) }

func ofFirstReview() []Case {
	return []Case{
		{ID: "S1", Promise: "a peer's BATCH with a short UDP super-packet, by utcp or in a UDP datagram: dropped and counted as malformed, the node goes on; any other defect met while receiving ends that peer's session and nothing else", By: by("internal/packet/datapath TestShortUDPSuperPacketsAreMalformed, TestDefectInAReceiveEndsTheSession, session TestDefectsEndTheSession, TestDefectInAStrangersHandshake, transport TestDefectInADatagram, TestDefectOnAConnection, transport/discovery TestDefectInAPacket")},

		{ID: "S2", Promise: "180 QUIC connections of strangers from six addresses that hold frames with a gap before them: at most 8 an address at once, memory +16 MiB at most, the peer's session and a newcomer's handshake unaffected; a second stream before the handshake is answered ends the connection", By: by("session TestSecondStreamEndsAStranger, internal/net/quicnet TestOneSourceHasEightPlaces, TestFullPlacesGoToNewNetworks, TestPeersHavePlacesOfTheirOwn, TestFaultHoardersAreBounded")},

		{ID: "S3", Promise: "an invitation whose prefixes are most of the Internet, or public, or wider than /16: refused without --yes, more than a quarter of the Internet always; nothing is made", By: append(by("internal/app/config TestPeerOwnsAtMostAQuarterOfTheInternet, cmd/l2tun TestLinkTakesNoMoreThanItsNetwork"), slowly("test/e2e TestTwoHostsJoinByOneLink")...)},

		{ID: "S4", Promise: "a peer with 200 μTCP connections, each with a whole handshake and 30 filled streams: memory +16 MiB at most, the honest peer's session stays established", By: slowly("session TestAPeerCannotHoard, TestOtherStreamsAreRefusedAtOnce, internal/proto/paths TestScripts, internal/net/utcp TestStrangersBufferLittle, TestAStrangerHasOneStream")},

		{ID: "S5", Promise: "QUIC packets for ids of a scanner's choice: no answer; reset keys of one identity differ over boots, addresses and ports; resets 5 a second in all", By: by("internal/net/quicnet TestScannersGetNoReset, internal/app/node TestQUICKeysLinkNothing")},

		{ID: "S6", Promise: "a first contact by μTCP and by QUIC, recorded whole: digest, DID, S, X, K and Q of neither end in it; a recorded request for a key set, sent again to any node, finds nobody", By: by("session TestAListenerLearnsNoIdentity, handshake TestAKeyRequestShowsNobody, TestARecordedKeyRequestFindsNobody, TestTheIDOfAPrekeyIsHidden")},

		{ID: "S7", Promise: "a hub that owns our network sends IPv6 UDP from our own address to our own address: dropped and counted bad_source, and status names it", By: slowly("internal/packet/datapath TestOwnAddressesAreNoPeersSource, test/e2e TestPeersUseTheirOwnAddresses")},

		{ID: "S8", Promise: "code that runs in a node, with its user 0 and its capability, writes /etc/cron.d, /etc/passwd and /root/.ssh, starts a program, makes a file set-user-ID, connects to another program's socket, signals and traces: each refused, while the node's own work goes on; without the fence each of the files, the program and the socket goes through; a node whose folder is the system user's is that user on every thread, and root writes there with that user's rights", By: by("internal/app/confine TestANodeDoesNotOpenTheHost, internal/base/account TestRootActsAsTheUserOfAFolder, test/e2e TestASystemUserRunsTheNode")},

		{ID: "S9", Promise: "garbage M1s on a peer's own connection: 5 a second are looked at, whatever comes, and the session stays", By: by("session TestOwnHandshakesAreLimited")},

		{ID: "S10", Promise: "36 addresses whose TCP connections say nothing and come back: a peer that has TCP only and cannot be dialled is back in 5 s", By: slowly("session TestSilentStrangersKeepNobodyOut, internal/net/utcp TestTheOldestSilentStrangerGoes, TestACrowdDisplacesItself, TestPlacesAreKeptWhereAPeerWasSeen")},

		{ID: "S11", Promise: "a peer's message with escape sequences and forged lines: on a terminal no control character but line ends, its sender before each line", By: by("cmd/l2tun TestMessagesDoNotSteerTheTerminal")},

		{ID: "S12", Promise: "a machine restored from a snapshot or cloned (VMGENID), or its clock set by more than 5 s: no old key seals, resumes or answers again; sessions are back by a full handshake within 3 s", By: by("session TestACopiedMachineDropsAllKeys, TestACopyEndsHandshakesUnderWay, internal/app/node TestACopyDropsAllKeys, TestCopiesAreReported, TestNewGeneration")},

		{ID: "S13", Promise: "all X25519 and Ed25519 keys public: no prekey is forged, nobody impersonated, nothing read; short mode ends 2 h after the last full handshake, and with one an hour nothing is noticed", By: by("handshake TestKeysOfAnotherAreRefused, test/symbolic TestQuantumAttackerGainsWhatTheTableSays, rotation TestNoShortHandshakeWithoutAFullOne, TestShortLimitOfTheResponder, session TestNoResumptionTwoHoursAfterTheLastFullHandshake")},

		{ID: "S14", Promise: "prekeys: renewed every 24 h although nobody calls, erased and cleared after 48 h, refused a day after their time by synchronised clocks, and by no other", By: by("internal/net/connect TestPeerKeysGrowOld, session TestPrekeysAreRenewedByATimer, TestClocksThatAreKnownToBeRight, handshake TestDatesOfAPrekey, TestErasedPrekeyIsCleared, TestAnOverdueCachedPrekeyIsFetched")},

		{ID: "S15", Promise: "120,000 first packets a second of one source, and others that are not whole: 200 a second of it are looked at, every genuine one is, and the rest is counted", By: by("internal/net/quicnet TestFirstPacketsOfOneSourceLeaveRoom, TestFirstPacketsAreBounded")},

		{ID: "S16", Promise: "a peer's records from 60 forged sources: no address gets more bytes than came from it, the session stays", By: by("session TestForgedSourcesAreNotFlooded, TestMovedPeersPayForTheQuestion")},

		{ID: "S17", Promise: "a peer that proposes or states epoch number 2^31-1: refused; the next handshake has the next number, and numbers begin anew when no epoch is left", By: by("rotation TestNumbersRiseByStepsOnly, TestTheLastNumber")},

		{ID: "S18", Promise: "a link, or a file of somebody else, where capture, bugreport or a log would be written: refused, the file behind it unchanged", By: by("cmd/l2tun TestFilesOfOthersAreNotWrittenThroughLinks")},

		{ID: "S19", Promise: "a half of a packet replayed 100,000 times, and 200 halves on a path that loses the others: one place for the first, no half of another path pushed out, at most 256 KiB held", By: by("internal/net/link TestHalvesOfOnePathPushOutNoOther")},

		{ID: "S20", Promise: "a session that flaps 100,000 times and a path that changes ten times a second: the past of other peers stays whole, at most 128 changes of one peer and 8192 of all are kept, at most one log line in 10 s tells of paths", By: by("internal/base/history TestManyEventsPushOutTheirOwnPastOnly, TestHistoryOfManySourcesIsBounded, internal/base/lograte TestLinesAreLimited")},

		{ID: "S21", Promise: "TLS at both ends speaks X25519MLKEM768 alone; a certificate is seen for a minute", By: by("internal/net/quicnet TestCertificatesLinkNothing, TestOnlyTheHybridIsSpoken")},

		{ID: "S22", Promise: "loopback, metadata services, multicast, broadcast: refused as endpoints that others tell, also by a name server and inside IPv6; the config's own loopback is dialled", By: by("transport TestToldAddressesAreChecked, TestConfiguredLoopbackIsDialled, TestNamesDoNotLeadToLoopback")},
	}
}

func ofLaterReviews() []Case {
	return []Case{
		{ID: "S23", Promise: "a peer sends to the LAN, the metadata address, loopback, multicast, a container of a node that forwards: dropped and counted bad_destination, unless a [[route]] or another peer has it", By: slowly("internal/packet/datapath TestDestinationsOfPeers, test/e2e TestPeersUseTheirOwnAddresses")},

		{ID: "S24", Promise: "a node joins while the owner edits the config, its own block included: none of the edits comes into use, the join is refused or applies its block alone", By: by("internal/app/join TestAJoinAppliesOnlyItsOwnBlock")},

		{ID: "S25", Promise: "a peer with ten addresses that never sends M3: two handshakes of it are open at once, no event before a proof, another node's session within 0.7 s; a claim from elsewhere takes nothing from the peer", By: by("session TestUnprovenClaims, TestClaimsFromElsewhereLockNobodyOut")},
		{ID: "S26", Promise: "a config that anybody else can change, by its mode, its folder's, a link or its owner: refused with one sentence that says what to run; at up, at reload and when a join is applied", By: by("internal/app/config TestConfigOfOthersIsRefused")},

		{ID: "S27", Promise: "a node keeps its heap within three quarters of its control group's memory, or of 1 GiB, which all strangers and 16 peers at their worst do not fill (GOMEMLIMIT says otherwise); the unit has MemoryMax and TasksMax; the packaged program is position-independent", By: by("cmd/l2tun TestMemoryIsLimitedByTheControlGroup, TestANodeHasASoftMemoryLimit, TestTheUnitBoundsMemoryAndTasks")},

		{ID: "S28", Promise: "4096 sources fill the table of the limiter and one more floods: 9 of 10 newcomers at least are admitted at once", By: by("internal/net/connect TestManySourcesLockNobodyOut")},

		{ID: "S29", Promise: "a stranger's connection whose packets come from forged addresses: no address gets more bytes than came from it; a connection that has really moved is followed", By: by("internal/net/quicnet TestForgedAddressesOfAConnectionGetNoMore, TestBytesOutAreBoundedByBytesIn")},

		{ID: "S30", Promise: "an M1 that was recorded, changed or made for another connection, in six orders with key requests: its node answers like any other, not before 20 ms; a prekey takes 16,384 M1s, then another one follows", By: by("session TestARecordedM1FindsNobody, TestAnUnopenedM1rIsUnknown, internal/net/connect TestAPrekeyTakesSoManyM1s")},

		{ID: "S31", Promise: "320 TCP connections of 20 addresses in four networks that begin a message and come anew before their second is over: a peer never seen before, that has TCP only, is established in 5 s", By: slowly("session TestSilentStrangersKeepNobodyOut, internal/net/utcp TestABusyCrowdDisplacesItself")},

		{ID: "S32", Promise: "20,000 first packets a second in the names of two peers: 9 of 10 genuine ones of the one that dials are looked at, all of the one that is dialled, and 3 of 4 of strangers", By: by("internal/net/quicnet TestFirstPacketsInAPeersNameLeaveItRoom")},

		{ID: "S33", Promise: "first packets of less than full size, and ICMP messages, from ever new forged sources: a full table costs no more for each than one with room", By: by("internal/net/udp TestFullTableOfHintsCostsNoMore, internal/net/quicnet TestFullTableOfInitialsCostsNoMore")},

		{ID: "S40", Promise: "a peer sends to a network that this host is on and that lies inside another peer's prefix: dropped and counted bad_destination, from the start and when a network comes; what else that peer owns is forwarded", By: slowly("internal/packet/datapath TestAnotherPeersPrefixIsNotTheHosts, test/e2e TestAnotherPeersPrefixOpensNoNetworkOfTheHost")},

		{ID: "S41", Promise: "code that runs in a node makes /etc/shadow readable, gives a file to a group, writes an access list by a system call newer than the fence's list, and limits the CPU time of another process of root: each refused", By: by("internal/app/confine TestANodeTouchesNoFilesRights")},

		{ID: "S42", Promise: "names in links and configs that commands take for an option, an address or a peer without a name: refused; a name that a shell makes anything of: the commands that findings give have the DID", By: by("internal/app/config TestBadFilesAreRefusedWithPlaceAndReason, internal/show/health TestCommandsNameTheirNode")},

		{ID: "S43", Promise: "a link whose node calls itself like a host of the Internet, joined where names of peers are in /etc/hosts: said to a person, refused to a script without --yes or --name", By: by("cmd/l2tun TestALinkTakesNoHostName")},

		{ID: "S44", Promise: "a peer's message with C1 controls, DEL and marks of direction, received as JSON on a terminal: escaped, the text unchanged", By: by("cmd/l2tun TestMessagesInJSONDoNotSteerTheTerminal")},

		{ID: "S45", Promise: "a peer that says it sees this node at an address of its choice, where two others say another: neither in a link nor in advice; one that nobody dials: in no link, and invite goes on", By: by("internal/app/invite TestOnePeerDoesNotChooseTheEndpoints, internal/show/health TestAPeerDoesNotChooseThePublicAddress")},

		{ID: "S46", Promise: "a peer that changes state and incarnation five times a second, and strangers of version 0.1.0 from ten new addresses a second: at most one log line in 10 s each after the first 40 and 10, and of a peer it says how many were not", By: by("session TestLinesAboutChangesAreLimited, internal/net/connect TestLinesAboutOldCallersAreLimited")},

		{ID: "S47", Promise: "a peer that writes 20,000 frames of its own making on 200 message channels, and acknowledges what was never sent: no more than the limit is held, the session stays, an honest message arrives", By: by("internal/net/msgchan TestAPeerLiesOnTheMessageChannel, TestAPeerLiesInAcknowledgements, session TestLiesOnTheMessageChannelEndNoSession")},

		{ID: "S49", Promise: "packets crafted to get past the limits of a peer (scans, fragments, extension headers, spoofed replies, ICMP errors that quote others' flows, redirects, tunnels, the LAN behind), through the whole inbound path: dropped and counted by peer and reason as in the table", By: slowly("internal/packet/datapath TestCraftedPacketsOfALimitedPeer, test/e2e TestOnlyLimitsAPeer")},

		{ID: "S50", Promise: "120 peers behind one address, all at once: established within a minute, and again after the hub has restarted; each that is back makes room for others, and gives back what it took of the rate", By: slowly("session TestFaultManyPeersBehindOneAddressComeBack")},

		{ID: "S48", Promise: "a peer that sends 10,000 packets through this node to a peer that is away: 10 ICMP errors at once, 20 a second; the host's own programs are told as before", By: by("internal/packet/datapath TestPeersDoNotUseUpTheAnswers")},
	}
}
