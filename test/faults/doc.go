// Package faults is the catalogue of faults and bad input: 128 cases, each with
// what l2tun promises when it happens, and the tests that show it. It serves
// scripts/faults and tests only; nothing that is shipped imports it.
//
// A case names tests; it holds no test code of its own. A test says what it has
// measured by Report and Control, which cost nothing in an ordinary run; the
// Runner builds each package's tests once, runs those that are asked for, and
// makes one Line a case of what they said. Table turns lines into
// docs/faults.md.
//
// Tests that are too long for scripts/test have the build tag faults. With
// L2TUN_FULL=1 in the environment the shortened ones run as the catalogue has
// them.
package faults
