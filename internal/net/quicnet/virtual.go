package quicnet

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/udp"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// virtualSlots is how many packets from all circuits wait for quic-go.
const virtualSlots = 256

// strangersByCircuit bounds connections through circuits whose peer has not proven
// itself. Each circuit is a source of its own. A circuit exists when this node has
// agreed to meet a peer, so nobody can draw a new one to get more places.
var strangersByCircuit = strangerBounds{all: 64, one: 4, more: 4, reserved: 16, evicted: 64}

// A Virtual dials and accepts QUIC connections at virtual addresses, each of which
// stands for a circuit (link.VirtualNetwork). It has a Transport of quic-go, with keys,
// connection ids and limits of its own: what comes by a circuit and what comes by the
// socket never reach the same connection, so that a hub that strips labels cannot move
// one to its own address. Tickets are the Endpoint's, so that a dial on the direct path
// resumes what a circuit began.
//
// Packets have 1200 bytes. Connections have streams alone: QUIC's datagrams are
// announced, because a ticket is of use only where parameters are the same, but none is
// sent and those that come are dropped.
type Virtual struct {
	*core
	tls  *tls.Config
	send atomic.Pointer[sendVirtual] // nil before Handle
	open remotes

	receiving sync.Mutex // for what follows
	filter    filter
	kept      []udp.Packet // scratch
}

// sendVirtual sends packets to a virtual address.
type sendVirtual = func(to netip.AddrPort, packets *wire.Batch)

// newVirtual makes a Virtual that is off until Handle.
func newVirtual(ctx context.Context, o *Options, tlsConf *tls.Config, t *tickets) *Virtual {
	own := *o
	own.ResetKey, own.TokenKey = circuitKey(o.ResetKey), circuitKey(o.TokenKey)
	own.NoDatagrams = true
	v := &Virtual{tls: tlsConf}
	a := newAdmission(newConnIDs(own.ResetKey), own.Count, v.open.has)
	a.unproven.bounds = strangersByCircuit
	v.core = newCore(ctx, &own, newPacketQueue(own.Count, virtualSlots), a, v.adopt)
	v.dialler = dialler{tls: tlsConf, tickets: t, size: smallAlways, exempt: v.open.add}
	v.filter = newFilter(a)
	return v
}

// circuitKey is the key for circuits that goes with one for the socket.
func circuitKey(key [32]byte) (k [32]byte) {
	m := hmac.New(sha256.New, key[:])
	m.Write([]byte("l2tun quic circuits"))
	m.Sum(k[:0])
	return k
}

func smallAlways(netip.AddrPort) uint16 { return smallPacket }

// Handle names what sends packets to a virtual address. Its first call makes the Virtual
// ready to dial and to accept, and comes before all else.
func (v *Virtual) Handle(send sendVirtual) (err error) {
	if v.send.Swap(&send) != nil {
		return nil
	}
	qt := newTransport(v.o, &virtualConn{v: v, resets: rate.NewLimiter(resetRate, resetRate)}, v.admission)
	v.dialler.qt = qt
	v.ln, err = qt.ListenEarly(v.tls, quicConfig(smallPacket))
	return err
}

// Receive takes packets of QUIC that came from a virtual address. They are the caller's
// again when it returns. It does not block: what does not fit the queue is dropped and
// counted.
func (v *Virtual) Receive(from netip.AddrPort, packets [][]byte) {
	v.receiving.Lock()
	defer v.receiving.Unlock()
	kept := v.kept[:0]
	for _, b := range packets {
		if !udp.IsQUIC(b) {
			v.o.Count.Malformed.Add(1)
		} else if v.filter.passes(b, from) {
			kept = append(kept, udp.Packet{Data: b, Src: from})
		}
	}
	if len(kept) > 0 {
		v.queue.push(kept)
	}
	clear(kept)
	v.kept = kept
}

// Close ends all connections and waits.
func (v *Virtual) Close() {
	v.stop()
	v.end()
	v.wg.Wait()
}

// adopt makes a QUIC connection ours.
func (v *Virtual) adopt(qc *quic.Conn) (link.Conn, error) {
	c, err := newConn(qc, v.pace, true, v.o.Count)
	if err == nil {
		c.unproven, c.direct = v.admission.unproven, noDirect
		err = v.o.Start(c, c.path.sendLoop, c.path.receiveLoop)
	}
	if err != nil {
		_ = qc.CloseWithError(closeCode, "not usable")
		return nil, err
	}
	return c, nil
}

// noDirect: the path through the circuit is its owner's.
func noDirect(netip.AddrPort) link.Direct { return nil }

// remotes counts who needs an address: our dials and complete connections. The zero
// value is ready; safe for concurrent use.
type remotes struct {
	mu    sync.Mutex
	users map[netip.AddrPort]int
}

// add counts one more, until the function it returns is called.
func (r *remotes) add(a netip.AddrPort) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users == nil {
		r.users = make(map[netip.AddrPort]int)
	}
	r.users[a]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.users[a]--; r.users[a] == 0 {
			delete(r.users, a)
		}
	}
}

func (r *remotes) has(a netip.AddrPort) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.users[a] > 0
}
