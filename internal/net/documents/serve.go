package documents

import (
	"context"
	"io"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	askTime = 10 * time.Second // for FETCH, behind the preface
	endTime = 10 * time.Second // for the other end to close, behind the last piece
)

// An Answer is what a node gives to FETCH.
type Answer struct {
	Status wire.AnswerStatus
	Docs   [][]byte // not changed while they are sent
	// Ended, if set, is called once: all says that everything was sent, and that the other end
	// has closed the stream, so that it was read.
	Ended func(all bool)
}

// Serve answers the one FETCH of a stream, whose preface has been read, and closes the
// stream. answer is called with a FETCH of sound form; its context ends the sending.
func Serve(ctx context.Context, st link.Stream, keys *msgchan.Keys, answer func(asked wire.News) (context.Context, Answer)) error {
	defer st.Close()
	st.SetDeadline(time.Now().Add(askTime))
	defer context.AfterFunc(ctx, func() { st.SetDeadline(time.Now()) })()
	frame, err := next(keys.NewReader(st))
	if err != nil {
		return err
	}
	asked, ok := wire.ParseNews(frame, wire.FrameFetch)
	if !ok {
		return ErrMalformed
	}
	sending, a := answer(asked)
	st.SetDeadline(time.Now().Add(endTime)) // of a refusal, which nothing else ends
	if a.Status == wire.AnswerAll {
		st.SetDeadline(time.Time{})
	}
	defer context.AfterFunc(sending, func() { st.SetDeadline(time.Now()) })()
	err = give(st, keys, asked.Network, a)
	if a.Ended != nil {
		a.Ended(err == nil && a.Status == wire.AnswerAll)
	}
	return err
}

// give writes the answer. Documents beyond the bounds of one answer stay for the next.
func give(st link.Stream, keys *msgchan.Keys, network [32]byte, a Answer) error {
	d := wire.Documents{Status: a.Status, Network: network}
	total := 0
	for _, doc := range a.Docs {
		if total += len(doc); len(d.Sizes) == wire.MaxDocuments || total > wire.MaxAnswer {
			d.Status = wire.AnswerMore
			break
		}
		d.Sizes = append(d.Sizes, uint32(len(doc)))
	}
	if err := keys.Write(st, d.Append(nil)); err != nil {
		return err
	}
	for i := range d.Sizes {
		if err := write(st, keys, uint16(i), a.Docs[i]); err != nil {
			return err
		}
	}
	if d.Status != a.Status {
		return io.ErrShortWrite // not all of it
	}
	return closed(st)
}

func write(st link.Stream, keys *msgchan.Keys, number uint16, doc []byte) error {
	for at := 0; at < len(doc); at += wire.MaxPiece {
		p := wire.DocumentPiece{Document: number, Offset: uint32(at), Data: doc[at:min(at+wire.MaxPiece, len(doc))]}
		if err := keys.Write(st, p.Append(nil)); err != nil {
			return err
		}
	}
	return nil
}

// closed waits until the other end has closed the stream: it has read all of it.
func closed(st link.Stream) error {
	st.SetDeadline(time.Now().Add(endTime))
	var b [1]byte
	if _, err := st.Read(b[:]); err != io.EOF {
		return err
	}
	return nil
}
