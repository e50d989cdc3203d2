package record

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// ErrLength: a record on a stream is shorter or longer than one can be.
var ErrLength = errors.New("record: length out of range")

// lengthSize is the size in bytes of what precedes a record on a stream.
const lengthSize = 4

// SealFramed seals a frame in a record of the control space and returns it behind
// its length, four bytes in little endian: what streams carry (SPEC 6.7, 6.11).
func (e *Epoch) SealFramed(frame []byte) ([]byte, error) {
	out := wire.Batch{Buf: make([]byte, lengthSize, lengthSize+len(frame)+wire.Overhead)}
	if err := e.Seal(&out, wire.SpaceControl, [][]byte{frame}); err != nil {
		return nil, err
	}
	binary.LittleEndian.PutUint32(out.Buf, uint32(len(out.Buf)-lengthSize))
	return out.Buf, nil
}

// ReadFramed reads one record that SealFramed has made, still sealed. ErrLength: it
// holds no frame or is longer than most bytes; nothing of it has been read then.
func ReadFramed(r io.Reader, most int) ([]byte, error) {
	var size [lengthSize]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n <= wire.Overhead || n > uint32(most) {
		return nil, ErrLength
	}
	rec := make([]byte, n)
	_, err := io.ReadFull(r, rec)
	return rec, err
}
