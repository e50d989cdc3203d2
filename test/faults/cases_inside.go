package faults

// inside is group I: inside the tunnel, and the device.
func inside() []Case {
	return []Case{
		{ID: "I1", Promise: "inner sources of another peer, own, unassigned, loopback, multicast: dropped and counted, no answer", By: slowly("internal/packet/datapath TestForeignSourceIsDropped, TestEveryForeignSource, test/e2e TestForeignSourceIsDropped")},
		{ID: "I2", Promise: "a more specific prefix of another peer wins; the same prefix twice is refused at load", By: by("routing TestTableAgreesWithOracle, internal/app/config TestBadFilesAreRefusedWithPlaceAndReason")},
		{ID: "I3", Promise: "IPv4 header lengths 0, 4 and 15, wrong total lengths: no panic, counted", By: by("routing TestPacketsWithWrongLengthsAreRefused, internal/packet/datapath TestOddInnerPackets")},
		{ID: "I4", Promise: "IPv6 extension chains of 256 bytes and more, jumbograms, truncated: no panic; chains pass unread, the rest is counted", By: by("routing TestPacketsWithWrongLengthsAreRefused, internal/packet/datapath TestOddInnerPackets, TestLongExtensionChainsPass")},
		{ID: "I5", Promise: "version nibbles 0, 5, 7 and 15, reads of 0 and 1 byte: counted", By: by("internal/packet/datapath TestUnroutedPacketIsCounted, TestOddInnerPackets")},
		{ID: "I6", Promise: "fragments, first, rest and overlapping: pass unchanged", By: by("internal/packet/datapath TestFragmentsPassUnchanged")},
		{ID: "I7", Promise: "segment sizes 0 and above the length, the ECN bit, odd tails: taken apart or refused", By: slowly("tun TestOddSuperPacketIsTakenApart, TestReceived, TestWriteRefusesWhatIsNoSuperPacket")},
		{ID: "I8", Promise: "EINVAL on a super-packet: written one by one, counted", By: slowly("tun TestRefusedSuperPacketIsSplit, TestOtherRefusalsAreErrors, TestFailuresCountsRefusedWrites")},
		{ID: "I9", Promise: "the way to a peer leads into the tunnel: less than 70,000 bytes sent after 10 pings and 1 s", By: slowly("test/e2e TestFaultRoutingLoop")},
		{ID: "I10", Promise: "the device deleted, down, renamed, moved to another namespace, its MTU changed: the node goes on or ends with another code than 0, and does not spin", By: slowly("test/e2e TestFaultDeviceTakenAway")},
		{ID: "I11", Promise: "ARP and ping for the tunnel address from the underlay: unanswered", By: slowly("test/e2e TestFaultTunnelAddressFromOutside"),
			Instead: "with the rule and the setting of the guide: without them it is the kernel that answers (measured beside), for any address of the host on any of its devices; l2tun sends nothing either way"},
		{ID: "I12", Promise: "marker bytes looked for on the router over start, rotation, fallback, a crash of either end and stop: none", By: slowly("test/e2e TestFaultNothingInClear, TestTheMiddleSeesNothing"),
			Instead: "with an unreachable route beside the tunnel's: before a program's start, after its own crash and after its stop nothing of it is there to hold packets back, and the kernel sends what it has no other route for by the default route (measured beside)"},
		{ID: "I13", Promise: "IPv6 packets for addresses of the overlay that nobody owns: none leaves", By: slowly("test/e2e TestFaultNothingInClear"),
			Instead: "no overlay has IPv4 alone: every node has its DID's IPv6 address in fd4c:3254::/32, which the guide's unreachable route covers (without it they leave, measured beside); other IPv6 addresses are not the tunnel's, and the kernel routes them as ever"},
	}
}
