package udp

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	burstMessages = 32 // messages of one call: runs of one size
	spareBursts   = 4  // sends that usually run at once
	// controlSize holds the packet info of IPv6 (40) and a segment size or a hop limit
	// (24).
	controlSize = 64
	// maxPending is how often a send is tried again because its error may be an
	// ICMP message about another remote that waited on the socket. Each try takes
	// one off, and so does the reader of the error queue, which lets the next follow.
	maxPending = 64
	// maxPendingDown is the same for a path on which the last send was lost, so
	// that a route that is really gone costs little.
	maxPendingDown = 2
)

// A directSender makes the system calls of direct paths.
type directSender struct {
	via   messenger
	four  bool        // a socket of IPv4 only
	spare chan *burst // a free list that keeps its memory
}

// A messenger sends messages without waiting and returns how many left.
type messenger interface {
	sendmmsg(b *burst) (int, unix.Errno)
}

func newDirectSender(_ Conn, rc syscall.RawConn) directSender {
	return directSender{
		via:   kernel{rc},
		four:  option(rc, unix.SOL_SOCKET, unix.SO_DOMAIN) == unix.AF_INET,
		spare: make(chan *burst, spareBursts),
	}
}

// canSegment asks whether the kernel knows UDP_SEGMENT.
func canSegment(rc syscall.RawConn) bool {
	return option(rc, unix.IPPROTO_UDP, unix.UDP_SEGMENT) >= 0
}

// option is a number that the socket is asked for, negative on an error.
func option(rc syscall.RawConn, level, name int) (v int) {
	v = -1
	_ = rc.Control(func(fd uintptr) {
		if n, err := unix.GetsockoptInt(int(fd), level, name); err == nil {
			v = n
		}
	})
	return v
}

// A kernel is the messenger of a socket. Control does not take the lock under
// which the net package writes, so a QUIC packet on its way holds up nobody.
type kernel struct{ rc syscall.RawConn }

func (k kernel) sendmmsg(b *burst) (int, unix.Errno) {
	if k.rc.Control(b.call) != nil {
		return 0, unix.EBADF
	}
	return b.sent, b.errno
}

// A burst is the memory of one call.
type burst struct {
	hdrs    [burstMessages]mmsghdr
	iovs    [burstMessages]unix.Iovec
	control [burstMessages][controlSize / 8]uint64 // aligned
	records [burstMessages]int                     // of each message
	n       int
	call    func(fd uintptr) // bound once, or each call would allocate it
	sent    int
	errno   unix.Errno
}

func newBurst() *burst {
	b := new(burst)
	b.call = b.sendmmsg
	for i := range b.hdrs {
		b.hdrs[i].hdr.Iov = &b.iovs[i]
		b.hdrs[i].hdr.SetIovlen(1)
	}
	return b
}

func (b *burst) sendmmsg(fd uintptr) {
	// Never blocks, so the Go scheduler need not know.
	n, _, e := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.hdrs[0])), uintptr(b.n), unix.MSG_DONTWAIT, 0, 0)
	if b.sent, b.errno = int(n), e; e != 0 {
		b.sent = 0
	}
}

// fill makes messages of the records from element from on.
func (b *burst) fill(p *directPath, recs *wire.Batch, from int, segment bool) {
	src := p.source.Load()
	for b.n = 0; from < recs.Len() && b.n < burstMessages; b.n++ {
		n, run := runOf(recs, from, segment)
		h := &b.hdrs[b.n].hdr
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&p.name.raw)), p.name.size
		b.iovs[b.n].Base = unsafe.SliceData(run)
		b.iovs[b.n].SetLen(len(run))
		b.setControl(src, n, len(recs.At(from)))
		b.records[b.n] = n
		from += n
	}
}

// setControl writes the control messages of the message being filled.
func (b *burst) setControl(src *source, n, size int) {
	ctl := (*[controlSize]byte)(unsafe.Pointer(&b.control[b.n]))
	used := 0
	if src != nil {
		used = copy(ctl[:], src.control.b[:src.control.n])
	}
	if n > 1 {
		used += putSegmentSize(ctl[used:], size)
	}
	h := &b.hdrs[b.n].hdr
	h.Control = nil
	if used > 0 {
		h.Control = &ctl[0]
	}
	h.SetControllen(used)
}

// clear lets go of the records.
func (b *burst) clear() {
	for i := range b.iovs[:b.n] {
		b.iovs[i].Base, b.hdrs[i].hdr.Name = nil, nil
	}
}

func (s *directSender) borrow() *burst {
	select {
	case b := <-s.spare:
		return b
	default:
		return newBurst()
	}
}

func (s *directSender) giveBack(b *burst) {
	b.clear()
	select {
	case s.spare <- b:
	default:
	}
}

// send implements directPath.Send.
func (s *directSender) send(p *directPath, recs *wire.Batch) (done int, err error) {
	b := s.borrow()
	defer s.giveBack(b)
	try := attempt{p: p, segment: p.segments()}
	for done < recs.Len() {
		b.fill(p, recs, done, try.segment)
		n, errno := s.via.sendmmsg(b)
		for _, k := range b.records[:n] {
			done += k
		}
		if errno == 0 {
			try.worked()
			continue
		}
		if again, err := try.after(errno, b.records[0]); err != nil {
			return done, err
		} else if !again {
			p.unreachable(recs.Len() - done)
			break
		}
	}
	return recs.Len(), nil
}

// An attempt is what one Send has tried so far to get past an error.
type attempt struct {
	p       *directPath
	segment bool
	suspect bool // segmentation is off since the last error
	pending int
}

// worked draws the conclusion from a call that succeeded.
func (a *attempt) worked() {
	if a.p.down.Load() {
		a.p.down.Store(false)
	}
	if a.suspect {
		a.p.refused()
		a.suspect = false
	}
}

// after looks at the error of a message of n records: try again, report it, or
// neither, when the remote cannot be reached.
func (a *attempt) after(e unix.Errno, n int) (again bool, err error) {
	if mayBeICMP(e) {
		a.p.d.hints.look()
		if a.pending++; a.pending <= maxPendingDown || a.pending <= maxPending && !a.p.down.Load() {
			return true, nil
		}
	}
	switch {
	case e == unix.EINTR:
		return true, nil
	case e == unix.EAGAIN, e == unix.ENOBUFS, e == unix.ENOMEM:
		return false, link.ErrQueueFull
	case e == unix.EBADF:
		return false, link.ErrClosed
	case e != unix.EMSGSIZE && e != unix.EIO && a.p.forgetSource():
		return true, nil
	case n > 1 && (e == unix.EMSGSIZE || e == unix.EINVAL || e == unix.EIO):
		a.segment, a.suspect = false, true
		return true, nil
	case e == unix.EMSGSIZE:
		return false, link.ErrTooBig
	}
	return false, nil
}

// mayBeICMP reports whether an error can be what an ICMP message left on the
// socket: with IP_RECVERR the next call returns it, whatever its remote.
func mayBeICMP(e unix.Errno) bool {
	switch e {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EMSGSIZE, unix.EPROTO, unix.EACCES,
		unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.EHOSTDOWN, unix.ENONET:
		return true
	}
	return false
}
