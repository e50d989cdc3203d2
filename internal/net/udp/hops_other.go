//go:build !linux

package udp

import "net/netip"

// limitsHops says that packets have no hop limit of their own here: not every system
// takes one by packet on a dual-stack socket, and without it an opener does harm.
const limitsHops = false

// sendLimited sends nothing.
func (s *directSender) sendLimited(*directPath, []byte, int) bool { return false }

// hopLimit is nothing.
func hopLimit(netip.AddrPort, int) []byte { return nil }
