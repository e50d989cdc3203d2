package quicnet

import (
	"net/netip"
	"sync"
	"time"
)

// maxHold bounds how long handshake packets wait for an early dial, which takes a
// fraction of a millisecond; a dial that quic-go makes wait for an answer, because
// the ticket is of no use, would otherwise wait for ever.
const maxHold = 50 * time.Millisecond

// holds are the remotes to which handshake packets wait. The zero value is ready.
type holds struct{ open sync.Map } // netip.AddrPort -> chan struct{}

// hold keeps handshakes to a remote from leaving until the function it returns is
// called. quic-go 0.65 replaces the remembered transport parameters by the peer's
// while OpenStream reads them, without a lock: no answer may come in before.
func (h *holds) hold(remote netip.AddrPort, queue *packetQueue) (release func()) {
	open := make(chan struct{})
	h.open.Store(remote, open)
	return func() {
		h.open.CompareAndDelete(remote, open)
		queue.pass()
		close(open)
	}
}

// await blocks the one connection that sends a handshake packet while an early dial to
// the same remote sets itself up.
func (h *holds) await(remote netip.AddrPort) {
	if open, ok := h.open.Load(remote); ok {
		select {
		case <-open.(chan struct{}):
		case <-time.After(maxHold):
		}
	}
}
