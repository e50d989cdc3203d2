package transport

import (
	"context"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/quicnet"
)

// An Echo is what plain UDP datagrams to a node come to.
type Echo = quicnet.Echo

// EchoSizes are the datagrams that are worth asking about, in bytes of UDP payload.
func EchoSizes() []int { return quicnet.EchoSizes() }

// ProbeUDP sends datagrams of each size to a node, unfragmented, and tells which are
// answered within a second and a half.
func ProbeUDP(ctx context.Context, remote netip.AddrPort, sizes []int) Echo {
	return quicnet.ProbeUDP(ctx, remote, sizes)
}
