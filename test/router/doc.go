// Package router has routers for tests of port mappings: servers of PCP, NAT-PMP and
// UPnP IGD that keep a table of mappings and pass no packets on. Options make them
// lie.
//
// A Router answers packets of PCP and NAT-PMP by Datagram, in virtual time too.
// Serve puts it on the sockets of an address, for instance one of 127.0.0.0/8,
// until Close. The layouts are written here a second time, from the RFCs, so that
// the program's do not vouch for themselves.
//
// Only tests import this package.
package router
