package faults

// resources is group C: clocks, resources, configuration, the control socket.
func resources() []Case {
	return []Case{
		{ID: "C1", Promise: "the wall clock off by 10 years either way: handshakes succeed, sessions do not notice", By: by("handshake TestDatesOfAPrekey, internal/archtest TestNoSessionAsksForTheDate"),
			Instead: "the catalogue sets the clock at a hello and under a live session: no process has a wall clock of its own (a time namespace has the monotonic and the boot clock only), and setting it would set the whole machine's. Measured instead: handshakes with prekeys dated 1970 and 2^40 s succeed, and no code that a session runs on asks for the date"},
		{ID: "C2", Promise: "the machine sleeps for 8 h and the monotonic clock stands: noticed at the first tick, back within 2 s", By: by("session TestSleep, internal/app/node TestASleepIsNoticedAtTheFirstTick"), Rate: "in virtual time: this kernel cannot suspend, and a time namespace sets the clock of new processes only"},
		{ID: "C3", Promise: "64 descriptors at most, 62 or more taken: no exit, no spin, back when some are free", By: slowly("test/e2e TestFaultFewDescriptors")},
		{ID: "C4", Promise: "ENOBUFS, EPERM, ENETUNREACH, EMSGSIZE from send: no exit, no spin", By: slowly("internal/net/quicnet TestTransientSendErrorsKeepTheConnection, TestMessageTooLongReachesQUIC, internal/net/udp TestErrorsOfOthersAreTriedAgain, test/e2e TestFaultSendErrors")},
		{ID: "C5", Promise: "64 MiB for the whole process from its start on, 100 peers under load: not killed", By: slowly("test/e2e TestFaultHundredPeers")},
		{ID: "C6", Promise: "a full or read-only disk, kill -9 during 200 edits of the config: the old file or the new one, never half of one", By: slowly("test/e2e TestFaultConfigWrites, TestFullDiskChangesNothing")},
		{ID: "C7", Promise: "a second node with the same interface: ends with another code than 0, the first one does not notice", By: slowly("test/e2e TestSecondNodeOfAnInterfaceIsRefused")},
		{ID: "C8", Promise: "a key file that others can read, a link, a FIFO, empty, 1 GiB, in a folder others can write: refused in one line; the key is in no log, argv, status or core file", By: slowly("did TestLoadRefuses, test/e2e TestUnsafeKeyFilesAreRefused, TestKeyFilesThatLeadElsewhereAreRefused, TestFaultOddKeyFiles, TestNothingShowsTheKey, TestACrashLeavesNoCore, cmd/l2tun TestANodesMemoryIsHiddenBeforeItsKeyIsRead")},
		{ID: "C9", Promise: "a config with odd names, NUL, newline, ESC, duplicates, 10^5 peers: refused with its place, or loaded; there are no includes", By: by("internal/app/config TestBadFilesAreRefusedWithPlaceAndReason, TestHostileNamesAreRefused, TestManyPeers")},
		{ID: "C10", Promise: "a bad reload leaves the old config; 1000 good ones under iperf3 lose no ping beyond the control", By: slowly("test/e2e TestFaultReloads")},
		{ID: "C11", Promise: "control socket 0600; other users, a planted link, a stale socket, wrong requests, a line of 100 MB: refused", By: slowly("internal/app/control TestOnlyTheOwnerMayOpenTheSocket, TestServerReplacesAStaleSocketOnly, TestWrongCallsGetJSONErrors, TestOversizedRequestIsRefused, TestOddClients, TestOnlyTheOwnerAndRootAreServed, test/e2e TestAnotherUserIsRefusedOnTheControlSocket")},
		{ID: "C12", Promise: "1000 silent clients of the control socket: another is answered within 100 ms", By: slowly("internal/app/control TestThousandSilentClients")},
		{ID: "C13", Promise: "sessions up and down 10 times 50 at both ends at once: no race, no goroutine left", By: slowly("session TestUpAndDownAtBothEnds"), Race: true},
		{ID: "C14", Promise: "privileges dropped after setup: CAP_NET_ADMIN and what a low port needs are left; so it runs under a service manager", By: slowly("test/e2e TestARunningNodeHasGivenUpItsPrivileges, TestTheServiceManagerIsToldTheTruth"),
			Instead: "the catalogue runs the hardened unit: the machine of the tests has no systemd as its first process. A stand-in for it is told all that a manager is told, and scripts/test-unit holds the unit: well-formed, exposure below 3.0 by systemd-analyze, and its filter allows every system call of a node's life under strace"},
	}
}
