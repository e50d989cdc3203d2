package transport

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

var _ link.VirtualNetwork = (*Transport)(nil)

// HandleVirtual implements link.VirtualNetwork. Where QUIC is switched off it does
// nothing, and dials to virtual addresses fail with link.ErrOff.
func (t *Transport) HandleVirtual(send func(to netip.AddrPort, packets *wire.Batch)) {
	if v := t.quic.Virtual(); v != nil {
		if err := v.Handle(send); err != nil {
			t.conf.Logger.Error("QUIC through circuits is off", "err", err)
		}
	}
}

// ReceiveVirtual implements link.VirtualNetwork.
func (t *Transport) ReceiveVirtual(from netip.AddrPort, packets [][]byte) {
	if v := t.quic.Virtual(); v != nil {
		v.Receive(from, packets)
	}
}

// dialVirtual dials QUIC through a circuit.
func (t *Transport) dialVirtual(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	v := t.quic.Virtual()
	if l != wire.LinkQUIC || v == nil {
		return nil, link.ErrOff
	}
	return v.Dial(ctx, remote)
}

// dialVirtualEarly is DialEarly through a circuit.
func (t *Transport) dialVirtualEarly(ctx context.Context, remote netip.AddrPort) (link.EarlyConn, error) {
	v := t.quic.Virtual()
	if v == nil {
		return nil, link.ErrOff
	}
	return v.DialEarly(ctx, remote)
}

// acceptVirtual accepts connections through circuits until the end.
func (t *Transport) acceptVirtual() {
	if v := t.quic.Virtual(); v != nil {
		v.Accept()
	}
}

// checkVirtual is Check for a virtual address, to which nothing leaves by the socket:
// all that can be wrong with it is that this node has no QUIC.
func (t *Transport) checkVirtual(remote netip.AddrPort) error {
	if t.quic.Virtual() == nil {
		return fmt.Errorf("transport: %s: %w", remote.Addr(), link.ErrNoRoute)
	}
	return nil
}

func isVirtual(a netip.AddrPort) bool { return netaddr.IsVirtual(a.Addr()) }
