package utcp

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// vectorRecords is the most records of one call; a batch rarely has more than two.
const vectorRecords = 16

// A vector is the memory of one writev(2), which takes frames of records, or of
// circuit datagrams, from where these lie.
type vector struct {
	headers [vectorRecords][frameHeader]byte
	iovs    [2 * vectorRecords]unix.Iovec
	n       int
	call    func(fd uintptr) // bound once, or each call would allocate it
	sent    int
	errno   unix.Errno
}

func newVector() *vector {
	v := new(vector)
	v.call = v.writev
	return v
}

// fill takes the records that one call may carry and returns their number.
func (v *vector) fill(kind byte, recs *wire.Batch) int {
	_, most := bodyLimits(kind)
	for v.n = 0; v.n < min(recs.Len(), vectorRecords); v.n++ {
		r := recs.At(v.n)
		if len(r) > most {
			break
		}
		h := appendFrameHeader(v.headers[v.n][:0], kind, len(r))
		v.iovs[2*v.n].Base, v.iovs[2*v.n+1].Base = unsafe.SliceData(h), unsafe.SliceData(r)
		v.iovs[2*v.n].SetLen(len(h))
		v.iovs[2*v.n+1].SetLen(len(r))
	}
	return v.n
}

// writev writes what the socket takes without waiting. It never blocks, so the
// Go scheduler need not know.
func (v *vector) writev(fd uintptr) {
	for {
		n, _, errno := unix.RawSyscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&v.iovs[0])), uintptr(2*v.n))
		if v.sent, v.errno = int(n), errno; errno == unix.EINTR {
			continue
		}
		break
	}
	if v.errno != 0 {
		v.sent = 0
	}
	for i := range v.n {
		v.iovs[2*i+1].Base = nil // the caller's again
	}
}

// write writes frames of the first records without waiting, and returns of how
// many, and their bytes that are out.
func (v *vector) write(c *Conn, kind byte, recs *wire.Batch) (records, bytes int, err error) {
	if v.fill(kind, recs) == 0 || c.rc.Control(v.call) != nil {
		return 0, 0, nil
	}
	if v.errno != 0 && v.errno != unix.EAGAIN {
		err = v.errno
	}
	return v.n, v.sent, err
}
