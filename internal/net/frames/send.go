package frames

import (
	"errors"
	"hash/fnv"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// ErrNoPath: there is no epoch or no path to send a frame with.
var ErrNoPath = errors.New("frames: no epoch or no path is in use")

// Send seals a frame under e and sends it on p, in two records if it does not fit
// into one. A path that takes nothing loses it, as a network would. The errors are
// the path's and record's; ErrNoPath without e or p.
func Send(e *record.Epoch, p link.Path, space wire.Space, frame []byte) error {
	if e == nil || p == nil {
		return ErrNoPath
	}
	if len(frame) <= max(p.Room()-wire.Overhead, wire.MinProbe) {
		return SendWhole(e, p, space, frame)
	}
	var halves wire.Batch
	halves.AppendHalves(partID(frame), frame)
	return send(e, p, space, halves.Slices())
}

// SendWhole is Send in one record, whatever the path's room. It needs both e and p.
func SendWhole(e *record.Epoch, p link.Path, space wire.Space, frame []byte) error {
	return send(e, p, space, [][]byte{frame})
}

// partID is the id of a frame's halves. It follows from the frame, so that a half
// that is sent again completes what is left of the first try (SPEC section 7.3).
func partID(frame []byte) uint16 {
	h := fnv.New32a()
	h.Write(frame)
	return uint16(h.Sum32()) | wire.FramePartIDs
}

func send(e *record.Epoch, p link.Path, space wire.Space, plains [][]byte) error {
	var out wire.Batch
	if err := e.Seal(&out, space, plains); err != nil {
		return err
	}
	_, err := p.Send(&out)
	return err
}
