package udp

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// hintEvery is how often one remote may be reported unreachable.
	hintEvery = time.Second
	// MaxHints bounds the remotes reported within that time.
	MaxHints = 1024
)

// A report is an ICMP message about a packet that was sent to remote.
type report struct {
	remote   netip.AddrPort // not valid: it says nothing of use
	by       netip.Addr     // the router that tells; not valid: not known
	exceeded bool           // the packet's hop limit ended there; else remote cannot be reached
}

// hints gathers what the network says about remotes that cannot be reached: from
// ICMP messages, which wait in the socket's error queue, and from sends that
// failed at once. One goroutine passes it on, because a Handler must not be
// called from inside Send. ICMP is easily forged, so this is no more than a
// reason to look.
type hints struct {
	wake chan struct{} // one token: there may be something

	mu      sync.Mutex
	told    map[netip.AddrPort]time.Time
	swept   time.Time
	waiting []netip.AddrPort
}

func newHints() *hints {
	return &hints{wake: make(chan struct{}, 1), told: make(map[netip.AddrPort]time.Time)}
}

// look makes the goroutine read the error queue. It never blocks.
func (h *hints) look() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// note reports a remote, unless that was done a moment ago.
func (h *hints) note(remote netip.AddrPort, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if last, ok := h.told[remote]; ok && now.Sub(last) < hintEvery || !h.room(now) {
		return
	}
	h.told[remote] = now
	h.waiting = append(h.waiting, remote)
	h.look()
}

// room makes place for one more remote if it can; h.mu is held.
func (h *hints) room(now time.Time) bool {
	if len(h.told) < MaxHints {
		return true
	}
	if now.Sub(h.swept) < hintEvery {
		return false
	}
	h.swept = now
	for a, at := range h.told {
		if now.Sub(at) >= hintEvery {
			delete(h.told, a)
		}
	}
	return len(h.told) < MaxHints
}

func (h *hints) take() []netip.AddrPort {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.waiting
	h.waiting = nil
	return w
}

// A patientConn tries again what failed with an error that an ICMP message
// about any remote may have left on the socket. Each try takes one such error
// off, so a packet is not lost, and QUIC does not change its packet size, because
// of somebody else.
type patientConn struct {
	Conn
	hints *hints
}

func (s patientConn) WriteMsgUDPAddrPort(b, oob []byte, to netip.AddrPort) (n, oobn int, err error) {
	for range 1 + maxPending {
		n, oobn, err = s.Conn.WriteMsgUDPAddrPort(b, oob, to)
		if err == nil || !isICMP(err) {
			return n, oobn, err
		}
		s.hints.look()
	}
	if isUnreachable(err) {
		s.hints.note(to, time.Now())
	}
	return n, oobn, err
}
