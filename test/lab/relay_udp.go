package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// maxFlows bounds the clients of one relay.
const maxFlows = 1024

// A UDPRelay stands between clients and one target, as a NAT does: each client
// address has its own socket towards the target. Set, Blackhole and Stats work
// while traffic flows.
type UDPRelay struct {
	judges
	net      Network
	sock     *net.UDPConn
	target   netip.AddrPort
	upLine   *line
	downLine *line

	mu     sync.Mutex
	flows  map[netip.AddrPort]*net.UDPConn // by client
	closed bool

	done chan struct{}
	wg   sync.WaitGroup
}

// RelayUDP listens on local and forwards to target, both in n. The seed fixes
// the fates of a given sequence of packets.
func RelayUDP(n Network, local, target netip.AddrPort, seed uint64) (*UDPRelay, error) {
	sock, err := n.ListenUDP(local)
	if err != nil {
		return nil, fmt.Errorf("lab: UDP relay: %w", err)
	}
	_ = sock.SetReadBuffer(4 << 20) // the kernel may give less
	js := newJudges(seed)
	r := &UDPRelay{judges: js, net: n, sock: sock, target: target,
		upLine: newLine(js.up), downLine: newLine(js.down),
		flows: make(map[netip.AddrPort]*net.UDPConn), done: make(chan struct{})}
	r.wg.Go(r.readClients)
	r.wg.Go(func() { r.upLine.run(r.done) })
	r.wg.Go(func() { r.downLine.run(r.done) })
	return r, nil
}

// Addr is where clients send to.
func (r *UDPRelay) Addr() netip.AddrPort { return r.sock.LocalAddr().(*net.UDPAddr).AddrPort() }

// Rebind forgets every mapping: the target sees each client come from a new
// port, as after the reboot of a NAT.
func (r *UDPRelay) Rebind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for client, c := range r.flows {
		c.Close()
		delete(r.flows, client)
	}
}

// Close ends the relay and waits for its goroutines. It is idempotent.
func (r *UDPRelay) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.Rebind() // no new flow can appear: closed is set
	close(r.done)
	err := r.sock.Close()
	r.wg.Wait()
	return err
}

func (r *UDPRelay) readClients() {
	buf := make([]byte, 1<<16)
	for {
		n, client, err := r.sock.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error about an earlier send
		}
		flow, err := r.flow(client)
		if err != nil {
			continue
		}
		r.upLine.pass(buf[:n], func(p []byte) { _, _ = flow.Write(p) })
	}
}

// flow finds or makes the socket of a client.
func (r *UDPRelay) flow(client netip.AddrPort) (*net.UDPConn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.flows[client]; c != nil {
		return c, nil
	}
	if r.closed || len(r.flows) == maxFlows {
		return nil, ErrClosed
	}
	c, err := r.net.DialUDP(r.target)
	if err != nil {
		return nil, err
	}
	_ = c.SetReadBuffer(4 << 20)
	r.flows[client] = c
	r.wg.Go(func() { r.readTarget(c, client) })
	return c, nil
}

func (r *UDPRelay) readTarget(c *net.UDPConn, client netip.AddrPort) {
	buf := make([]byte, 1<<16)
	for {
		n, err := c.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the target's port is closed at the moment
		}
		r.downLine.pass(buf[:n], func(p []byte) { _, _ = r.sock.WriteToUDPAddrPort(p, client) })
	}
}
