//go:build !linux

package udp

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/net/ipv4"

	"github.com/libertaria-project/l2tun/internal/net/netaddr"
)

// A batchReader reads datagrams through x/net, which allocates for each.
type batchReader struct {
	rc  syscall.RawConn
	pc  *ipv4.PacketConn
	ms  []ipv4.Message
	out []Packet
}

func newBatchReader(c Conn, rc syscall.RawConn) (*batchReader, error) {
	pc, ok := c.(net.PacketConn)
	if !ok {
		return nil, errors.New("not a packet conn")
	}
	r := &batchReader{rc: rc, pc: ipv4.NewPacketConn(pc), ms: make([]ipv4.Message, readBatch), out: make([]Packet, readBatch)}
	for i := range r.ms {
		r.ms[i].Buffers = [][]byte{make([]byte, readBuffer)}
		r.ms[i].OOB = make([]byte, OOBSize)
	}
	return r, nil
}

func (r *batchReader) read() ([]Packet, error) {
	n, err := r.pc.ReadBatch(r.ms, 0)
	if err != nil {
		return nil, err
	}
	for i, m := range r.ms[:n] {
		r.out[i] = Packet{Data: m.Buffers[0][:m.N], OOB: m.OOB[:m.NN], Src: netaddr.PortOf(m.Addr)}
	}
	return r.out[:n], nil
}
