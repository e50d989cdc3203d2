//go:build !linux

package transport

import (
	"errors"
	"net"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/net/cause"
	"github.com/libertaria-project/l2tun/internal/net/netaddr"

	"golang.org/x/net/ipv4"
)

// setOptions has nothing to do here: quic-go sets what it needs.
func setOptions(syscall.RawConn, Config) error { return nil }

// A batchReader reads datagrams through x/net, which allocates for each.
type batchReader struct {
	rc  syscall.RawConn
	pc  *ipv4.PacketConn
	ms  []ipv4.Message
	out []packet
}

func newBatchReader(c socket, rc syscall.RawConn) (*batchReader, error) {
	pc, ok := c.(net.PacketConn)
	if !ok {
		return nil, errors.New("not a packet conn")
	}
	r := &batchReader{rc: rc, pc: ipv4.NewPacketConn(pc), ms: make([]ipv4.Message, readBatch), out: make([]packet, readBatch)}
	for i := range r.ms {
		r.ms[i].Buffers = [][]byte{make([]byte, readBuffer)}
		r.ms[i].OOB = make([]byte, oobSize)
	}
	return r, nil
}

func (r *batchReader) read() ([]packet, error) {
	n, err := r.pc.ReadBatch(r.ms, 0)
	if err != nil {
		return nil, err
	}
	for i, m := range r.ms[:n] {
		r.out[i] = packet{data: m.Buffers[0][:m.N], oob: m.OOB[:m.NN], src: netaddr.PortOf(m.Addr)}
	}
	return r.out[:n], nil
}

// swallowed reports whether a send error must not end a connection: all but a
// closed socket and a packet that is too big.
func swallowed(err error) bool {
	return !cause.IsClosed(err) && !errors.Is(err, syscall.EMSGSIZE)
}

// cutSegmentSize finds nothing: quic-go does not segment here.
func cutSegmentSize(dst, oob []byte) ([]byte, int) { return append(dst, oob...), 0 }

func appendSegmentSize(oob []byte, _ int) []byte { return oob }

// marker is nil: marks are Linux's.
func marker(Config) func(fd int) { return nil }
