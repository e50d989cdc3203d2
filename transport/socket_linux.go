package transport

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setOptions prepares a new socket: mark, buffers, don't-fragment without
// trusting ICMP, and the control messages that replies need. quic-go sets the
// last two again; they are ours because the direct carrier relies on them too.
func setOptions(rc syscall.RawConn, c Config) error {
	return rc.Control(func(fd uintptr) {
		s := int(fd)
		setMark(s, c)
		setBuffer(s, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
		setBuffer(s, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
		// The other family's options fail on a socket of one family; that is no error.
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVTOS, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_RECVERR, 1) // see hints
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		_ = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		if !c.NoOffload {
			_ = unix.SetsockoptInt(s, unix.IPPROTO_UDP, unix.UDP_GRO, 1) // an old kernel: one datagram a message
		}
	})
}

// setMark sets SO_MARK, for which a privilege is needed.
func setMark(s int, c Config) {
	if c.Mark == 0 {
		return
	}
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_MARK, int(c.Mark)); err != nil {
		c.Logger.Warn("socket mark not set", "mark", c.Mark, "err", err)
	}
}

// setBuffer asks for a size beyond the system's limit where we may, else up to
// it.
func setBuffer(s, force, plain, bytes int) {
	if unix.SetsockoptInt(s, unix.SOL_SOCKET, force, bytes) != nil {
		_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, plain, bytes)
	}
}

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
	oobs  [readBatch][oobSize]byte
	bufs  [readBatch][readBuffer]byte
	out   []packet
	zones zones
	recv  func(fd uintptr) bool // bound once, or each read would allocate it
	n     int
	errno unix.Errno
}

func newBatchReader(_ socket, rc syscall.RawConn) (*batchReader, error) {
	r := &batchReader{rc: rc, zones: make(zones), out: make([]packet, 0, readBatch*maxSegments)}
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
func (r *batchReader) read() ([]packet, error) {
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
	p := packet{oob: r.oobs[i][:h.hdr.Controllen], src: r.zones.address(&r.names[i])}
	size := p.readControl()
	if h.hdr.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		r.out = append(r.out, p)
		return
	}
	rest := r.bufs[i][:h.n]
	for size > 0 && len(rest) > size {
		p.data, rest = rest[:size:size], rest[size:]
		r.out = append(r.out, p)
	}
	p.data = rest
	r.out = append(r.out, p)
}

// recvmmsg is one non-blocking call; false makes the poller wait.
func (r *batchReader) recvmmsg(fd uintptr) bool {
	for i := range r.hdrs {
		h := &r.hdrs[i].hdr
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(oobSize)
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

// swallowed reports whether a send error passes with time or concerns one
// destination only. quic-go ends a connection at any error but EMSGSIZE, and
// ENETUNREACH for a second must not do that.
func swallowed(err error) bool {
	var e unix.Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.ENOBUFS, unix.ENOMEM,
		unix.EPERM, unix.EACCES, unix.ECONNREFUSED, unix.EAGAIN, unix.EINTR, unix.ENODEV, unix.ENXIO,
		unix.EADDRNOTAVAIL, unix.EINVAL, unix.EPROTO, unix.EOPNOTSUPP:
		return true
	}
	return false
}

// readControl sets where the message arrived. It returns the size of the
// datagrams in a run, 0 for a single one.
func (p *packet) readControl() (size int) {
	for oob := p.oob; len(oob) > 0; {
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
func (p *packet) local6(a netip.Addr, iface uint32) {
	switch {
	case a.Is4In6():
	case a.IsLinkLocalUnicast():
		p.local = localAddr{a, iface}
	default:
		p.local = localAddr{addr: a}
	}
}

// cutSegmentSize appends control messages to dst without UDP_SEGMENT, whose
// value it returns, 0 if there is none.
func cutSegmentSize(dst, oob []byte) (rest []byte, size int) {
	for len(oob) > 0 {
		hdr, body, next, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return dst, 0
		}
		if hdr.Level == unix.IPPROTO_UDP && hdr.Type == unix.UDP_SEGMENT && len(body) >= 2 {
			size = int(binary.NativeEndian.Uint16(body))
		} else {
			dst = append(dst, oob[:len(oob)-len(next)]...)
		}
		oob = next
	}
	return dst, size
}

// appendSegmentSize appends UDP_SEGMENT to control messages.
func appendSegmentSize(oob []byte, size int) []byte {
	n := len(oob)
	oob = append(oob, make([]byte, unix.CmsgSpace(2))...)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[n]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(oob[n+unix.CmsgLen(0):], uint16(size))
	return oob
}

// marker sets the socket mark of the config on a socket; nil without one.
func marker(c Config) func(fd int) {
	if c.Mark == 0 {
		return nil
	}
	return func(fd int) { setMark(fd, c) }
}
