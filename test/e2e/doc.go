// Package e2e holds the promises of l2tun against the program itself: its tests
// build cmd/l2tun, lay networks out of namespaces (test/lab), run nodes in
// them as people would, and look at what comes out. There is no code here but
// tests.
//
// Every test owns its world: namespaces, nodes, files; all of it is gone when
// the test ends. Waiting is bounded, and the bounds are generous, because a
// machine that is busy must not fail a test. Throughput is logged, not held.
//
// The tests need root, or a user namespace with its own network and mounts
// (unshare -Urnm), and skip without. They run side by side, ten at a time with
// -parallel 10, but for a few that fill the machine and say so ("Alone"). Each subject
// has one file. A case is short by default; -long makes it as long as what it stands
// for, and runs those that have no short form, as the catalogue of faults (test/faults)
// does. L2TUN_FULL=1 in the environment makes the catalogue's cases as long as it has
// them: hours. L2TUN_E2E_BINARY names a program to test in place of a fresh build.
package e2e
