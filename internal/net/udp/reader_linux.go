package udp

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	n   uint32
}

// A batchReader reads many datagrams in one recvmmsg call into memory that it
// allocates once. With UDP_GRO a message is a run of datagrams of one source and
// size, which it takes apart. It is used by one goroutine.
type batchReader struct {
	rc    syscall.RawConn
	hdrs  [readBatch]mmsghdr
	iovs  [readBatch]unix.Iovec
	names [readBatch]unix.RawSockaddrInet6
	oobs  [readBatch][OOBSize]byte
	bufs  [readBatch][readBuffer]byte
	out   []Packet
	zones zones
	recv  func(fd uintptr) bool // bound once, or each read would allocate it
	n     int
	errno unix.Errno
}

func newBatchReader(_ Conn, rc syscall.RawConn) (*batchReader, error) {
	r := &batchReader{rc: rc, zones: make(zones), out: make([]Packet, 0, readBatch*maxSegments)}
	r.recv = r.recvmmsg
	for i := range r.hdrs {
		h := &r.hdrs[i].hdr
		r.iovs[i].Base = &r.bufs[i][0]
		r.iovs[i].SetLen(readBuffer)
		h.Iov = &r.iovs[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&r.names[i]))
		h.Control = &r.oobs[i][0]
	}
	return r, nil
}

// read blocks for at least one datagram. An error that isClosed is final.
// Datagrams cut short are returned with nil data.
func (r *batchReader) read() ([]Packet, error) {
	if err := r.rc.Read(r.recv); err != nil {
		return nil, err
	}
	if r.errno != 0 {
		return nil, r.errno
	}
	r.out = r.out[:0]
	for i := range r.n {
		r.split(i)
	}
	return r.out, nil
}

// split appends the datagrams of message i to out.
func (r *batchReader) split(i int) {
	h := &r.hdrs[i]
	p := Packet{OOB: r.oobs[i][:h.hdr.Controllen], Src: r.zones.address(&r.names[i])}
	size := p.readControl()
	if h.hdr.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		r.out = append(r.out, p)
		return
	}
	rest := r.bufs[i][:h.n]
	for size > 0 && len(rest) > size {
		p.Data, rest = rest[:size:size], rest[size:]
		r.out = append(r.out, p)
	}
	p.Data = rest
	r.out = append(r.out, p)
}

// recvmmsg is one non-blocking call; false makes the poller wait.
func (r *batchReader) recvmmsg(fd uintptr) bool {
	for i := range r.hdrs {
		h := &r.hdrs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(OOBSize)
	}
	for {
		// Never blocks, so the Go scheduler need not know.
		n, _, e := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.hdrs[0])), readBatch, unix.MSG_DONTWAIT, 0, 0)
		switch e {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		}
		r.n, r.errno = int(n), e
		return true
	}
}

// zones are the numbers of interfaces as text, which the net package accepts.
type zones map[uint32]string

// address reads a socket address of either family, IPv4 unmapped.
func (z zones) address(sa *unix.RawSockaddrInet6) netip.AddrPort {
	if sa.Family == unix.AF_INET {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa4.Addr), ntohs(sa4.Port))
	}
	a := netip.AddrFrom16(sa.Addr).Unmap()
	if sa.Scope_id != 0 && a.Is6() {
		a = a.WithZone(z.name(sa.Scope_id))
	}
	return netip.AddrPortFrom(a, ntohs(sa.Port))
}

func (z zones) name(id uint32) string {
	s, ok := z[id]
	if !ok {
		s = strconv.FormatUint(uint64(id), 10)
		z[id] = s
	}
	return s
}

func ntohs(p uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&p))
	return uint16(b[0])<<8 | uint16(b[1])
}

// readControl sets where the message arrived. It returns the size of the
// datagrams in a run, 0 for a single one.
func (p *Packet) readControl() (size int) {
	for oob := p.OOB; len(oob) > 0; {
		hdr, body, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return 0
		}
		switch {
		case hdr.Level == unix.IPPROTO_UDP && hdr.Type == unix.UDP_GRO && len(body) >= 4:
			size = int(binary.NativeEndian.Uint32(body))
		case hdr.Level == unix.IPPROTO_IP && hdr.Type == unix.IP_PKTINFO && len(body) >= unix.SizeofInet4Pktinfo:
			p.local = localAddr{addr: netip.AddrFrom4([4]byte(body[4:8]))}
		case hdr.Level == unix.IPPROTO_IPV6 && hdr.Type == unix.IPV6_PKTINFO && len(body) >= unix.SizeofInet6Pktinfo:
			p.local6(netip.AddrFrom16([16]byte(body[:16])), binary.NativeEndian.Uint32(body[16:]))
		}
		oob = rest
	}
	return size
}

// local6 takes the packet info of IPv6. Of a packet of IPv4 on a dual-stack socket
// there are both kinds, and this one may be a broadcast address.
func (p *Packet) local6(a netip.Addr, iface uint32) {
	switch {
	case a.Is4In6():
	case a.IsLinkLocalUnicast():
		p.local = localAddr{a, iface}
	default:
		p.local = localAddr{addr: a}
	}
}
