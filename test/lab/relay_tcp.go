package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	chunkSize = 16 << 10 // bytes read, judged and written at once
	maxChunks = 256      // waiting in one direction of a connection: 4 MiB
)

// A TCPRelay stands between clients and one target. It delays, stalls
// (Blackhole), corrupts and resets; bytes are never lost or reordered. Dropped
// connection attempts are the firewall's work: Host.DropTCP.
type TCPRelay struct {
	judges
	net    Network
	ln     *net.TCPListener
	target netip.AddrPort

	mu     sync.Mutex
	conns  map[*net.TCPConn]struct{}
	closed bool

	ctx    context.Context // ends with the relay
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// RelayTCP listens on local and forwards to target, both in n.
func RelayTCP(n Network, local, target netip.AddrPort, seed uint64) (*TCPRelay, error) {
	ln, err := n.ListenTCP(local)
	if err != nil {
		return nil, fmt.Errorf("lab: TCP relay: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &TCPRelay{judges: newJudges(seed), net: n, ln: ln, target: target,
		conns: make(map[*net.TCPConn]struct{}), ctx: ctx, cancel: cancel}
	r.wg.Go(r.accept)
	return r, nil
}

// Addr is where clients connect to.
func (r *TCPRelay) Addr() netip.AddrPort { return r.ln.Addr().(*net.TCPAddr).AddrPort() }

// Reset breaks every connection: both ends get an RST.
func (r *TCPRelay) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		reset(c)
	}
}

// Close resets every connection, ends the relay and waits for its goroutines.
// It is idempotent.
func (r *TCPRelay) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	err := r.ln.Close()
	r.Reset()
	r.wg.Wait()
	return err
}

func (r *TCPRelay) accept() {
	for {
		client, err := r.ln.AcceptTCP()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.serve(client) })
	}
}

// serve joins a client and the target until both directions have ended.
func (r *TCPRelay) serve(client *net.TCPConn) {
	defer client.Close()
	target, err := r.net.DialTCP(r.ctx, r.target)
	if err != nil {
		reset(client) // refused there, so reset here
		return
	}
	defer target.Close()
	if !r.add(client, target) {
		return
	}
	defer r.remove(client, target)
	var both sync.WaitGroup
	both.Go(func() { r.pipe(target, client, r.up) })
	both.Go(func() { r.pipe(client, target, r.down) })
	both.Wait()
}

func (r *TCPRelay) add(conns ...*net.TCPConn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		r.conns[c] = struct{}{}
	}
	return !r.closed
}

func (r *TCPRelay) remove(conns ...*net.TCPConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		delete(r.conns, c)
	}
}

// pipe moves one direction: a reader judges chunks, the writer waits until each
// is due. The end of the stream waits its turn; a broken stream is passed on as
// a reset.
func (r *TCPRelay) pipe(dst, src *net.TCPConn, j *judge) {
	chunks := make(chan parcel, maxChunks)
	broken := make(chan struct{}) // the writer has given up
	var readErr error             // valid once chunks is closed
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(chunks)
		readErr = read(src, j, chunks, broken)
	})
	if err := r.write(dst, j, chunks); err != nil {
		reset(src)
	} else if readErr != nil {
		reset(dst)
	} else {
		_ = dst.CloseWrite()
	}
	close(broken)
	reader.Wait()
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}

// read judges what arrives until the stream ends; nil means that it ended well.
func read(src io.Reader, j *judge, chunks chan<- parcel, broken <-chan struct{}) error {
	buf := make([]byte, chunkSize)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			select {
			case chunks <- j.chunk(time.Now(), buf[:n]):
			case <-broken:
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// write sends each chunk when it is due and nothing stalls. It returns nil when
// all chunks are sent.
func (r *TCPRelay) write(dst *net.TCPConn, j *judge, chunks <-chan parcel) error {
	for p := range chunks {
		if err := r.hold(j, p.due); err != nil {
			return err
		}
		if _, err := dst.Write(p.data); err != nil {
			return err
		}
	}
	return r.hold(j, time.Now())
}

// hold waits until due and for the end of a stall, or for the end of the relay.
func (r *TCPRelay) hold(j *judge, due time.Time) error {
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
		return ErrClosed
	}
	for {
		changed := j.stall()
		if changed == nil {
			return nil
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return ErrClosed
		}
	}
}
