package reach

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	flowPort = 4999
	flowGap  = 5 * time.Millisecond
)

// A flow is numbered packets from one home to another, one each flowGap, and when each
// arrived.
type flow struct {
	out, in *net.UDPConn
	stop    chan struct{}
	all     sync.WaitGroup

	mu      sync.Mutex
	sent    []time.Time
	arrived []time.Time // by number; zero: not yet
	twice   int
}

// start begins to send. Packets that the host refuses are sent too: they are lost.
func start(from, to *Home) (*flow, error) {
	in, err := to.Host.ListenUDP(netip.AddrPortFrom(to.Inside.Addr(), flowPort))
	if err != nil {
		return nil, err
	}
	out, err := from.Host.ListenUDP(netip.AddrPortFrom(from.Inside.Addr(), flowPort))
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	f := &flow{out: out, in: in, stop: make(chan struct{})}
	f.all.Go(f.receive)
	f.all.Go(func() { f.send(netip.AddrPortFrom(to.Inside.Addr(), flowPort)) })
	return f, nil
}

func (f *flow) send(to netip.AddrPort) {
	tick := time.NewTicker(flowGap)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
		f.mu.Lock()
		n := len(f.sent)
		f.sent, f.arrived = append(f.sent, time.Now()), append(f.arrived, time.Time{})
		f.mu.Unlock()
		_, _ = f.out.WriteToUDPAddrPort(binary.BigEndian.AppendUint32(nil, uint32(n)), to)
	}
}

func (f *flow) receive() {
	b := make([]byte, 16)
	for {
		n, err := f.in.Read(b)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if n == 4 {
			f.take(int(binary.BigEndian.Uint32(b)), time.Now())
		}
	}
}

func (f *flow) take(n int, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case n >= len(f.arrived):
	case f.arrived[n].IsZero():
		f.arrived[n] = at
	default:
		f.twice++
	}
}

// first is when the first packet arrived that was sent after a moment; zero: none did.
func (f *flow) first(after time.Time) (at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.arrived {
		if !a.IsZero() && f.sent[i].After(after) && (at.IsZero() || a.Before(at)) {
			at = a
		}
	}
	return at
}

// end stops the flow, gives what is under way a moment, and counts: packets that were
// sent after a moment and did not arrive, those that arrived twice, and the longest time
// in which nothing arrived that was sent after it.
func (f *flow) end(after time.Time) (lost, twice int, gap time.Duration) {
	close(f.stop)
	time.Sleep(200 * time.Millisecond)
	_ = errors.Join(f.in.Close(), f.out.Close())
	f.all.Wait()
	last := after
	for i, a := range f.arrived {
		switch {
		case !f.sent[i].After(after):
		case a.IsZero():
			lost++
		case a.After(last):
			gap, last = max(gap, a.Sub(last)), a
		}
	}
	return lost, f.twice, gap
}
