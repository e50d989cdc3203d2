// Package memnet is a network in memory for tests of what runs on paths. It
// implements link.Network with connections whose datagrams can be delayed,
// lost, duplicated and reordered, and whose lines can be cut. It uses channels
// and timers only, so that it works in testing/synctest bubbles.
//
// Through circuits (link.VirtualNetwork) connections have streams alone, which go where
// their packets are brought.
//
// Streams are reliable, as QUIC's are: a cut line delays them until it heals or
// the connection's idle timeout ends it. Records on a Path are not.
package memnet
