package routing

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// lookupBatch is how many questions leave in one call: the socket's receive buffer
	// holds their answers, at 5 KiB of kernel memory each.
	lookupBatch = 32
	answerSize  = 4 << 10 // of one route with the most next hops that count here
)

// lookups asks the kernel where it sends what is for an address, as ip route get fibmatch
// does, policy routing included. The kernel answers many questions of one send in turn,
// which takes a tenth of the time of as many calls of the netlink library. One goroutine
// uses it.
type lookups struct {
	fd      int
	seq     uint32
	out, in []byte
}

// A lookedUp is the answer about one address.
type lookedUp struct {
	link int           // index of the interface; 0: several next hops, or none has a device
	err  syscall.Errno // 0: there is a route
}

// newLookups opens a socket in the network namespace of the calling thread.
func newLookups() (*lookups, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err == nil {
		if err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("routing: open netlink: %w", err)
	}
	return &lookups{fd: fd, in: make([]byte, answerSize)}, nil
}

func (l *lookups) close() { unix.Close(l.fd) }

// each calls found with the answer about each address, in order. Those after an error
// have none.
func (l *lookups) each(addrs []netip.Prefix, found func(p netip.Prefix, a lookedUp)) error {
	for len(addrs) > 0 {
		n := min(len(addrs), lookupBatch)
		if err := l.batch(addrs[:n], found); err != nil {
			return fmt.Errorf("routing: look up %v: %w", addrs[0], err)
		}
		addrs = addrs[n:]
	}
	return nil
}

// batch is one send. The kernel has queued all answers when it returns.
func (l *lookups) batch(addrs []netip.Prefix, found func(p netip.Prefix, a lookedUp)) error {
	first := l.seq + 1
	l.out = l.out[:0]
	for _, p := range addrs {
		l.seq++
		l.ask(p.Addr())
	}
	if err := unix.Sendto(l.fd, l.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	for i := 0; i < len(addrs); {
		seq, a, err := l.answer()
		if err != nil {
			return err
		}
		if seq-first >= uint32(len(addrs)) {
			continue // of a batch before, which had an error
		}
		if seq != first+uint32(i) {
			return fmt.Errorf("answer %d in the place of %d", seq-first, i)
		}
		found(addrs[i], a)
		i++
	}
	return nil
}

// ask appends a question: struct nlmsghdr, struct rtmsg, and RTA_DST.
func (l *lookups) ask(a netip.Addr) {
	const fixed = unix.SizeofNlMsghdr + unix.SizeofRtMsg + unix.SizeofRtAttr
	family, dst, n := byte(unix.AF_INET6), a.AsSlice(), binary.NativeEndian
	if a.Is4() {
		family = unix.AF_INET
	}
	b := n.AppendUint32(l.out, uint32(fixed+len(dst)))
	b = n.AppendUint16(b, unix.RTM_GETROUTE)
	b = n.AppendUint16(b, unix.NLM_F_REQUEST)
	b = n.AppendUint32(b, l.seq)
	b = n.AppendUint32(b, 0)                                            // the socket's own port
	b = append(b, family, byte(8*len(dst)), 0, 0, 0, 0, 0, 0)           // no source, no type of service, any table
	b = n.AppendUint32(b, unix.RTM_F_LOOKUP_TABLE|unix.RTM_F_FIB_MATCH) // the route itself, not its result
	b = n.AppendUint16(b, uint16(unix.SizeofRtAttr+len(dst)))
	b = n.AppendUint16(b, unix.RTA_DST)
	l.out = append(b, dst...)
}

// answer reads one.
func (l *lookups) answer() (seq uint32, a lookedUp, err error) {
	size, _, err := unix.Recvfrom(l.fd, l.in, unix.MSG_DONTWAIT)
	if err != nil {
		return 0, a, err
	}
	b, n := l.in[:size], binary.NativeEndian
	if len(b) < unix.SizeofNlMsghdr {
		return 0, a, errAnswer
	}
	kind, seq, body := n.Uint16(b[4:]), n.Uint32(b[8:]), b[unix.SizeofNlMsghdr:]
	switch {
	case kind == unix.NLMSG_ERROR && len(body) >= 4:
		a.err = syscall.Errno(-int32(n.Uint32(body)))
	case kind == unix.RTM_NEWROUTE && len(body) >= unix.SizeofRtMsg:
		a.link = outInterface(body[unix.SizeofRtMsg:])
	default:
		return 0, a, errAnswer
	}
	return seq, a, nil
}

var errAnswer = errors.New("an answer that is none")

// outInterface is RTA_OIF of a route's attributes; 0: there is none.
func outInterface(b []byte) int {
	n := binary.NativeEndian
	for len(b) >= unix.SizeofRtAttr {
		size, kind := int(n.Uint16(b)), n.Uint16(b[2:])
		if size < unix.SizeofRtAttr || size > len(b) {
			return 0
		}
		if kind == unix.RTA_OIF && size == unix.SizeofRtAttr+4 {
			return int(n.Uint32(b[unix.SizeofRtAttr:]))
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return 0
}
