package quicnet

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
)

// smallDialAfter is how long full-size packets are tried alone.
const smallDialAfter = 1500 * time.Millisecond

// A dialler makes connections with the largest packets that get through. QUIC
// pads its first packets to their size, so a path that drops full ones gives no
// answer at all: then a dial with small ones runs beside, and who finishes first
// wins.
type dialler struct {
	qt      *quic.Transport
	tls     *tls.Config
	tickets *tickets
	size    func(remote netip.AddrPort) uint16       // of the first packets
	exempt  func(remote netip.AddrPort) (end func()) // says that we dial it, or are connected
}

type dialResult struct {
	qc  *quic.Conn
	err error
}

func (d *dialler) dial(ctx context.Context, remote netip.AddrPort) (*quic.Conn, error) {
	defer d.exempt(remote)()
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan dialResult)
	running := 0
	start := func(size uint16) {
		running++
		go func() { // received by race or drain, whatever happens
			qc, err := d.qt.Dial(ctx, net.UDPAddrFromAddrPort(remote), d.withTickets(ctx, remote, size, nil), dialConfig(size))
			results <- dialResult{qc, err}
		}()
	}
	first := d.size(remote)
	start(first)
	small := time.NewTimer(smallDialAfter)
	defer small.Stop()
	if first == smallPacket {
		small.Stop()
	}
	qc, err := race(results, small, &running, start)
	cancel()
	for ; running > 0; running-- {
		if late := <-results; late.qc != nil {
			_ = late.qc.CloseWithError(closeCode, "another connection was faster")
		}
	}
	if err == nil {
		context.AfterFunc(qc.Context(), d.exempt(remote))
	}
	return qc, err
}

// race waits for the first success, starting the small dial when its time has
// come or when the local link refuses full packets. With no success it returns
// the last failure.
func race(results <-chan dialResult, small *time.Timer, running *int, start func(uint16)) (*quic.Conn, error) {
	smallTried := false
	for {
		select {
		case <-small.C:
			smallTried = true
			start(smallPacket)
		case r := <-results:
			*running--
			tooBig := !smallTried && failedHere(r.err)
			switch {
			case r.err == nil || *running == 0 && !tooBig:
				return r.qc, r.err
			case tooBig:
				small.Reset(0)
			}
		}
	}
}

// failedHere reports whether a dial ended because the socket refused a packet:
// quic-go keeps EMSGSIZE only as the text of an internal error.
func failedHere(err error) bool {
	var tr *quic.TransportError
	return errors.As(err, &tr) && !tr.Remote && tr.ErrorCode == quic.InternalError
}
