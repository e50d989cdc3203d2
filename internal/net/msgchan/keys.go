package msgchan

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

var errNoKeys = errors.New("msgchan: no epoch is in use")

// Keys are the epochs that seal and open a channel's records. They are set by the
// loop of the session and read by the goroutines of the streams.
type Keys struct {
	sealing atomic.Pointer[record.Epoch]
	opening record.Table[*record.Epoch] // whose peer is proven
	sealed  atomic.Uint64               // records
}

// Seal makes e the epoch that records are sealed under; nil: none.
func (k *Keys) Seal(e *record.Epoch) { k.sealing.Store(e) }

// Open lets records under e be opened from now on: its peer is proven.
func (k *Keys) Open(e *record.Epoch) { k.opening.Put(e.RecvID(), e) }

// Forget ends opening under e.
func (k *Keys) Forget(e *record.Epoch) { k.opening.Delete(e.RecvID()) }

// Sealed is how many records the channel has sent.
func (k *Keys) Sealed() uint64 { return k.sealed.Load() }

// Write seals a frame under the epoch in use and writes it behind its length.
func (k *Keys) Write(w io.Writer, frame []byte) error {
	for {
		e := k.sealing.Load()
		if e == nil {
			return errNoKeys
		}
		out, err := e.SealFramed(frame)
		if errors.Is(err, record.ErrErased) && k.sealing.Load() != e {
			continue // replaced in this moment
		}
		if err != nil {
			return err
		}
		k.sealed.Add(1)
		_, err = w.Write(out)
		return err
	}
}

// A Reader reads one direction of a stream with records of its own. On a stream, records
// come in the order in which they were sealed: any other order is not the peer's doing.
type Reader struct {
	keys *Keys
	r    io.Reader
	buf  []byte // of the plaintext that was returned last

	epoch   uint32 // of the newest record
	counter uint64
	begun   bool
}

// NewReader reads a stream behind its preface.
func (k *Keys) NewReader(st io.Reader) *Reader { return &Reader{keys: k, r: st} }

// Next returns the next frame, valid until the call after.
func (r *Reader) Next() ([]byte, error) {
	rec, err := record.ReadFramed(r.r, wire.MaxChannelRecord)
	if err != nil {
		return nil, err
	}
	id, counter, space, ok := wire.ParseHeader(rec)
	e, known := r.keys.opening.Get(id)
	if !ok || !known || space != wire.SpaceControl {
		return nil, ErrMalformed
	}
	if r.begun && (e.Number() < r.epoch || e.Number() == r.epoch && counter <= r.counter) {
		return nil, ErrMalformed
	}
	if cap(r.buf) < len(rec) {
		r.buf = make([]byte, 0, wire.MaxChannelRecord)
	}
	plain, verdict := e.OpenTo(r.buf[:0], rec)
	if verdict != record.Opened {
		return nil, ErrMalformed
	}
	r.epoch, r.counter, r.begun = e.Number(), counter, true
	return plain, nil
}
