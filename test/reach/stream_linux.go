package reach

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	streamPort  = 4998
	streamGap   = 20 * time.Millisecond // between two bytes
	streamGrace = 6 * time.Second       // for what waits in the end: TCP repeats it 3 s after the last time, if it was silent for 3 s
)

// A stream is a TCP connection from one home to another, on which a byte is written each
// streamGap.
type stream struct {
	out, in *net.TCPConn
	stop    chan struct{}
	all     sync.WaitGroup
	written atomic.Int64
	read    atomic.Int64
	broken  atomic.Bool // an end has reported an error
}

// connect opens a stream and begins to write.
func connect(ctx context.Context, from, to *Home) (*stream, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	at := netip.AddrPortFrom(to.Inside.Addr(), streamPort)
	l, err := to.Host.ListenTCP(at)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	s := &stream{stop: make(chan struct{})}
	if s.out, err = from.Host.DialTCP(ctx, at); err != nil {
		return nil, err
	}
	if s.in, err = l.AcceptTCP(); err != nil {
		return nil, errors.Join(err, s.out.Close())
	}
	s.all.Go(s.write)
	s.all.Go(s.count)
	return s, nil
}

func (s *stream) write() {
	tick := time.NewTicker(streamGap)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if _, err := s.out.Write([]byte{0}); err != nil {
			s.broken.Store(true)
			return
		}
		s.written.Add(1)
	}
}

func (s *stream) count() {
	b := make([]byte, 512)
	for {
		n, err := s.in.Read(b)
		s.read.Add(int64(n))
		if err != nil {
			s.broken.CompareAndSwap(false, !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF))
			return
		}
	}
}

// end stops the stream, and reports whether all that was written has arrived.
func (s *stream) end() (lives bool) {
	close(s.stop)
	for deadline := time.Now().Add(streamGrace); s.read.Load() < s.written.Load() && !s.broken.Load() && time.Now().Before(deadline); {
		time.Sleep(watch)
	}
	lives = !s.broken.Load() && s.read.Load() >= s.written.Load() && s.read.Load() > 0
	_ = errors.Join(s.out.Close(), s.in.Close())
	s.all.Wait()
	return lives
}
