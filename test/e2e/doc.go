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
// (unshare -Urnm), and skip without. Some are shorter than what they stand for;
// L2TUN_FULL=1 in the environment makes them as long. L2TUN_E2E_BINARY in the environment names
// a program to test in place of a fresh build.
package e2e
