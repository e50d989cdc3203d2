//go:build !linux

package discovery

import (
	"net/netip"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// setOptions does nothing here: one node a host, and no mark.
func setOptions(syscall.RawConn, bool, uint32) error { return nil }

// control reads where a packet came in, what it was sent to, and its hop limit.
// A message of the other family gives it nothing.
func control(oob []byte) meta {
	var four ipv4.ControlMessage
	if four.Parse(oob) == nil && four.Dst != nil {
		dst, _ := netip.AddrFromSlice(four.Dst)
		return meta{dst: dst.Unmap(), index: four.IfIndex, hops: four.TTL}
	}
	var six ipv6.ControlMessage
	if six.Parse(oob) != nil {
		return meta{}
	}
	dst, _ := netip.AddrFromSlice(six.Dst)
	return meta{dst: dst, index: six.IfIndex, hops: six.HopLimit}
}
