package nat

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

const (
	patience = 2 * time.Second        // for a packet that should come
	resend   = patience / 4           // until a packet is sent again
	grace    = 100 * time.Millisecond // for one that was sent before another which has come
)

// ErrNoAnswer means that a packet did not come where it was sent.
var ErrNoAnswer = errors.New("nat: no packet came")

// Witnesses are four sockets of a hub: two ports on each of two addresses.
type Witnesses [2][2]*net.UDPConn

// Witness opens them; the caller closes them.
func (h *Hub) Witness(v6 bool) (w Witnesses, err error) {
	addrs := h.Addrs4
	if v6 {
		addrs = h.Addrs6
	}
	for i := range w {
		for j := range w[i] {
			if w[i][j], err = h.ListenUDP(netip.AddrPortFrom(addrs[i], 0)); err != nil {
				w.Close()
				return w, err
			}
		}
	}
	return w, nil
}

// Close closes the sockets.
func (w Witnesses) Close() {
	for i := range w {
		for _, c := range w[i] {
			if c != nil {
				c.Close()
			}
		}
	}
}

// Classify finds out what stands between the witnesses and the sockets that
// listen opens. It is for a network without loss.
func Classify(w Witnesses, listen func() (*net.UDPConn, error)) (b Behaviour, err error) {
	if b.Mapping, b.Preserved, err = mapping(w, listen); errors.Is(err, ErrNoAnswer) {
		return Behaviour{Blocked: true}, nil
	}
	if err != nil {
		return b, err
	}
	if b.Filtering, err = filtering(w, listen); err != nil {
		return b, err
	}
	b.Hairpin, err = hairpin(w, listen)
	return b, err
}

// mapping sends from one socket to three endpoints and compares how it is seen.
func mapping(w Witnesses, listen func() (*net.UDPConn, error)) (d Dependence, preserved bool, err error) {
	c, err := listen()
	if err != nil {
		return 0, false, err
	}
	defer c.Close()
	var seen [3]netip.AddrPort
	for i, to := range []*net.UDPConn{w[0][0], w[0][1], w[1][0]} {
		if seen[i], err = Seen(c, to); err != nil {
			return 0, false, err
		}
	}
	switch {
	case seen[0] != seen[1]:
		d = AddressAndPortDependent
	case seen[0] != seen[2]:
		d = AddressDependent
	}
	return d, seen[0].Port() == local(c).Port(), nil
}

// filtering sends from one socket to one endpoint, and looks which others then
// reach it.
func filtering(w Witnesses, listen func() (*net.UDPConn, error)) (Dependence, error) {
	c, err := listen()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	seen, err := Seen(c, w[0][0])
	if err != nil {
		return 0, err
	}
	for _, from := range []*net.UDPConn{w[0][1], w[1][1]} { // the address first: it may open nothing for the other
		if _, err := from.WriteToUDPAddrPort([]byte(from.LocalAddr().String()), seen); err != nil {
			return 0, err
		}
	}
	got, err := before(c, w[0][0], seen)
	switch {
	case err != nil:
		return 0, err
	case got[w[1][1].LocalAddr().String()]:
		return EndpointIndependent, nil
	case got[w[0][1].LocalAddr().String()]:
		return AddressDependent, nil
	}
	return AddressAndPortDependent, nil
}

// hairpin lets two sockets send to each other's outside addresses. Each does so
// twice, so that a filter between them has seen both.
func hairpin(w Witnesses, listen func() (*net.UDPConn, error)) (bool, error) {
	var socks [2]*net.UDPConn
	var seen [2]netip.AddrPort
	for i := range socks {
		c, err := listen()
		if err != nil {
			return false, err
		}
		defer c.Close()
		if seen[i], err = Seen(c, w[0][0]); err != nil {
			return false, err
		}
		socks[i] = c
	}
	for range 2 {
		for i, c := range socks {
			_, _ = c.WriteToUDPAddrPort([]byte("hairpin"), seen[1-i]) // an ICMP error is an answer, too
		}
	}
	got, err := before(socks[0], w[0][0], seen[0])
	return got["hairpin"], err
}

// before returns what comes to a socket before a packet that a witness, which the
// socket has sent to, sends now.
func before(c, witness *net.UDPConn, seen netip.AddrPort) (map[string]bool, error) {
	const last = "last"
	if _, err := witness.WriteToUDPAddrPort([]byte(last), seen); err != nil {
		return nil, err
	}
	got := make(map[string]bool)
	buf := make([]byte, 1500)
	for deadline := time.Now().Add(10 * patience); ; {
		_ = c.SetReadDeadline(deadline)
		n, err := c.Read(buf)
		switch {
		case err == nil && string(buf[:n]) == last:
			got[last], deadline = true, time.Now().Add(grace)
		case err == nil:
			got[string(buf[:n])] = true
		case !errors.Is(err, os.ErrDeadlineExceeded): // an ICMP error about what was sent before
		case got[last]:
			return got, nil
		default:
			return nil, fmt.Errorf("an answer to %s did not come back: %w", c.LocalAddr(), ErrNoAnswer)
		}
	}
}

// Seen sends a packet from a socket behind a NAT to a witness and returns whence
// it came. It sends again now and then: where two flows take one port of a translator
// in the same moment, the kernel drops the packet of the second.
func Seen(c, witness *net.UDPConn) (from netip.AddrPort, err error) {
	text := fmt.Sprint("seen ", local(c).Port())
	for range patience / resend {
		if _, err = c.WriteToUDPAddrPort([]byte(text), local(witness)); err != nil {
			return netip.AddrPort{}, err
		}
		if from, err = receive(witness, text, resend); err == nil {
			break
		}
	}
	return from, err
}

// receive reads until a packet with this text comes.
func receive(c *net.UDPConn, text string, within time.Duration) (netip.AddrPort, error) {
	buf := make([]byte, 1500)
	for deadline := time.Now().Add(within); ; {
		_ = c.SetReadDeadline(deadline)
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return netip.AddrPort{}, fmt.Errorf("%q: %w", text, ErrNoAnswer)
		}
		if err == nil && string(buf[:n]) == text {
			return netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), nil
		}
	}
}

func local(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }
