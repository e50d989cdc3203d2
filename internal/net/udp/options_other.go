//go:build !linux

package udp

import (
	"errors"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/net/cause"
)

// setOptions has nothing to do here: quic-go sets what it needs.
func setOptions(syscall.RawConn, Options) error { return nil }

// Marker is nil: marks are Linux's.
func (o Options) Marker() func(fd int) { return nil }

// Transient reports whether a send error must not end a connection: all but a
// closed socket and a packet that is too big.
func Transient(err error) bool {
	return !cause.IsClosed(err) && !errors.Is(err, syscall.EMSGSIZE)
}

// CutSegmentSize finds nothing: quic-go does not segment here.
func CutSegmentSize(dst, oob []byte) ([]byte, int) { return append(dst, oob...), 0 }

// AppendSegmentSize changes nothing here.
func AppendSegmentSize(oob []byte, _ int) []byte { return oob }
