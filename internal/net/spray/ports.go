package spray

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// maxErrors is how many errors a port may bring: openers that end on the way
// leave ICMP messages on it.
const maxErrors = 16

// OpenPorts opens ports towards a remote, tells opened whether they are, and returns the
// first from which the remote was heard. It is the caller's; all others are closed. Nil:
// none was before ctx ended, or none are open.
func (s *Sprayer) OpenPorts(ctx context.Context, remote netip.AddrPort, opened func(yes bool)) *net.UDPConn {
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	default:
		opened(false)
		return nil
	}
	all := s.open(remote)
	if len(all) < leastPorts {
		closeAll(all, nil)
		opened(false)
		return nil
	}
	heard := make(chan *net.UDPConn, 1)
	var wg sync.WaitGroup
	for _, c := range all {
		wg.Go(func() { await(c, remote, heard) }) // ends when it has heard, or with c
	}
	opened(true)
	var first *net.UDPConn
	select {
	case first = <-heard:
	case <-ctx.Done():
	}
	closeAll(all, first)
	wg.Wait()
	return first
}

// open opens ports and sends an opener from each. One from which none leaves is of no
// use.
func (s *Sprayer) open(remote netip.AddrPort) (all []*net.UDPConn) {
	for range numPorts {
		c, err := s.c.Open()
		if err != nil {
			break
		}
		if !s.c.Opener(c, remote) {
			c.Close()
			continue
		}
		all = append(all, c)
	}
	return all
}

// await waits for a datagram of any form from a remote.
func await(c *net.UDPConn, remote netip.AddrPort, heard chan<- *net.UDPConn) {
	var b [64]byte
	for failed := 0; failed < maxErrors; {
		_, from, err := c.ReadFromUDPAddrPort(b[:])
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			failed++
		case from.Port() == remote.Port() && from.Addr().Unmap() == remote.Addr().Unmap():
			select {
			case heard <- c:
			default: // another was first
			}
			return
		}
	}
}

func closeAll(all []*net.UDPConn, but *net.UDPConn) {
	for _, c := range all {
		if c != but {
			c.Close()
		}
	}
}
