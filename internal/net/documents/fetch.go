package documents

import (
	"context"
	"errors"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// ErrMalformed: the other end has written what is no answer to FETCH, or no FETCH.
var ErrMalformed = errors.New("documents: malformed stream of documents")

// A Taker gets what a fetch brings, in order.
type Taker interface {
	// Piece says that a piece has come.
	Piece()
	// Document is a whole document, which is the taker's. An error ends the fetch.
	Document(doc []byte) error
}

// Fetch asks for what is lacking, on a stream of its own. The status is the answer's; the
// error is ErrMalformed, the taker's, the stream's, or the context's.
func Fetch(ctx context.Context, conn link.Conn, keys *msgchan.Keys, asked wire.News, to Taker) (wire.AnswerStatus, error) {
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return 0, err
	}
	defer st.Close()
	defer context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })()
	if _, err := st.Write(wire.DocumentsPreface()); err != nil {
		return 0, err
	}
	if err := keys.Write(st, asked.Append(nil, wire.FrameFetch)); err != nil {
		return 0, err
	}
	r := keys.NewReader(st)
	frame, err := next(r)
	if err != nil {
		return 0, err
	}
	d, ok := wire.ParseDocuments(frame)
	if !ok || d.Network != asked.Network {
		return 0, ErrMalformed
	}
	for i, size := range d.Sizes {
		doc, err := read(r, uint16(i), int(size), to)
		if err == nil {
			err = to.Document(doc)
		}
		if err != nil {
			return d.Status, err
		}
	}
	return d.Status, nil
}

// read reads the pieces of one document. Memory grows with what has come, not with what was
// announced.
func read(r *msgchan.Reader, number uint16, size int, to Taker) (doc []byte, err error) {
	for len(doc) < size {
		frame, err := next(r)
		if err != nil {
			return nil, err
		}
		p, ok := wire.ParseDocumentPiece(frame)
		if !ok || p.Document != number || int(p.Offset) != len(doc) || len(p.Data) > size-len(doc) {
			return nil, ErrMalformed
		}
		doc = append(doc, p.Data...)
		to.Piece()
	}
	return doc, nil
}

// next is the next frame; what is no record of the session is malformed too.
func next(r *msgchan.Reader) ([]byte, error) {
	frame, err := r.Next()
	if errors.Is(err, msgchan.ErrMalformed) {
		err = ErrMalformed
	}
	return frame, err
}
