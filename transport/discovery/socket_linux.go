package discovery

import (
	"encoding/binary"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// setOptions lets several sockets have a port, and marks what leaves, for which
// a privilege is needed that may be missing: then policy routing cannot see us.
func setOptions(rc syscall.RawConn, shared bool, mark uint32) (err error) {
	cerr := rc.Control(func(fd uintptr) {
		if shared {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		}
		if mark != 0 {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark))
		}
	})
	if cerr != nil {
		return cerr
	}
	return err
}

// control reads where a packet came in, what it was sent to, and its hop limit;
// what is missing stays zero and so matches nothing.
func control(oob []byte) (m meta) {
	for len(oob) > 0 {
		h, body, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		m.take(h.Level, h.Type, body)
		oob = rest
	}
	return m
}

func (m *meta) take(level, kind int32, body []byte) {
	switch {
	case level == unix.IPPROTO_IP && kind == unix.IP_TTL && len(body) >= 4,
		level == unix.IPPROTO_IPV6 && kind == unix.IPV6_HOPLIMIT && len(body) >= 4:
		m.hops = int(binary.NativeEndian.Uint32(body))
	case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(body) >= unix.SizeofInet4Pktinfo:
		m.index = int(binary.NativeEndian.Uint32(body))
		m.dst = netip.AddrFrom4([4]byte(body[8:12]))
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(body) >= unix.SizeofInet6Pktinfo:
		m.dst = netip.AddrFrom16([16]byte(body[:16]))
		m.index = int(binary.NativeEndian.Uint32(body[16:]))
	}
}
