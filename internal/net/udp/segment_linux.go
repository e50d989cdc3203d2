package udp

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CutSegmentSize appends control messages to dst without UDP_SEGMENT, whose
// value it returns, 0 if there is none.
func CutSegmentSize(dst, oob []byte) (rest []byte, size int) {
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

// AppendSegmentSize appends UDP_SEGMENT to control messages.
func AppendSegmentSize(oob []byte, size int) []byte {
	n := len(oob)
	oob = append(oob, make([]byte, unix.CmsgSpace(2))...)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[n]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(oob[n+unix.CmsgLen(0):], uint16(size))
	return oob
}
