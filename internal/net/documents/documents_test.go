package documents

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/msgchan"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
)

// both are the keys of the two ends of one session.
func both(t *testing.T) (asking, answering *msgchan.Keys) {
	t.Helper()
	ends := [2]*msgchan.Keys{new(msgchan.Keys), new(msgchan.Keys)}
	ids := [2]wire.RecordID{wire.MakeRecordID([7]byte{1}), wire.MakeRecordID([7]byte{2})}
	send, recv := [32]byte{1}, [32]byte{2}
	for i, k := range ends {
		e, err := record.New(record.Keys{Number: 1, Cipher: wire.ChaCha20Poly1305, Send: send, Recv: recv, SendID: ids[1-i], RecvID: ids[i], Networks: true})
		if err != nil {
			t.Fatal(err)
		}
		send, recv = recv, send
		k.Open(e)
		k.Seal(e)
	}
	return ends[0], ends[1]
}

// A conn opens streams that serve answers.
type conn struct {
	link.Conn
	serve func(st net.Conn)
}

func (c conn) OpenStream(context.Context) (link.Stream, error) {
	a, b := net.Pipe()
	go func() {
		var head [wire.HandshakeHeaderSize]byte
		if _, err := io.ReadFull(b, head[:]); err != nil || !wire.IsDocumentsPreface(head[:]) {
			b.Close()
			return
		}
		c.serve(b)
	}()
	return a, nil
}

// A taker keeps what comes.
type taker struct {
	docs   [][]byte
	pieces int
	refuse error
}

func (t *taker) Piece() { t.pieces++ }

func (t *taker) Document(doc []byte) error {
	t.docs = append(t.docs, doc)
	return t.refuse
}

var asked = wire.News{Network: [32]byte{7}, Head: 3}

// fetch asks an honest node that answers so.
func fetch(t *testing.T, a Answer, to *taker) (status wire.AnswerStatus, all bool, err error) {
	t.Helper()
	ours, theirs := both(t)
	ended := make(chan bool, 1)
	a.Ended = func(all bool) { ended <- all }
	c := conn{serve: func(st net.Conn) {
		Serve(t.Context(), st, theirs, func(n wire.News) (context.Context, Answer) {
			if n.Network != asked.Network || n.Head != asked.Head {
				t.Errorf("asked for %+v", n)
			}
			return t.Context(), a
		})
	}}
	status, err = Fetch(t.Context(), c, ours, asked, to)
	return status, <-ended, err
}

// Documents of each size come whole and in order, and the giver knows that they were read.
func TestDocumentsCross(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var docs [][]byte
		for i, n := range []int{1, wire.MaxPiece - 1, wire.MaxPiece, wire.MaxPiece + 1, 3*wire.MaxPiece + 5} {
			docs = append(docs, bytes.Repeat([]byte{byte(i + 1)}, n))
		}
		to := new(taker)
		status, all, err := fetch(t, Answer{Docs: docs}, to)
		if err != nil || status != wire.AnswerAll || !all || to.pieces != 9 {
			t.Fatal(status, all, err, to.pieces)
		}
		if !slices.EqualFunc(docs, to.docs, bytes.Equal) {
			t.Error("other documents came")
		}
	})
}

// A refusal has no documents, and is not told as given.
func TestRefusalsAreTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		for _, s := range []wire.AnswerStatus{wire.AnswerBusy, wire.AnswerNone} {
			to := new(taker)
			if status, all, err := fetch(t, Answer{Status: s}, to); status != s || all || err != nil || len(to.docs) > 0 {
				t.Error(s, status, all, err)
			}
		}
	})
}

// A taker that refuses a document ends the fetch.
func TestTakerEndsTheFetch(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		to := &taker{refuse: errors.New("no")}
		if _, _, err := fetch(t, Answer{Docs: [][]byte{{1}, {2}}}, to); err != to.refuse || len(to.docs) != 1 {
			t.Error(err, len(to.docs))
		}
	})
}

// SPEC R-10.6-2, R-10.6-3: whatever is no answer, or no next piece of it, ends the fetch as
// malformed, and nothing of it is a document.
func TestMalformedAnswersEndTheFetch(t *testing.T) {
	head := func(sizes ...uint32) []byte {
		return wire.Documents{Network: asked.Network, Sizes: sizes}.Append(nil)
	}
	piece := func(doc uint16, at uint32, n int) []byte {
		return wire.DocumentPiece{Document: doc, Offset: at, Data: make([]byte, n)}.Append(nil)
	}
	other := wire.Documents{Network: [32]byte{8}}.Append(nil)
	full := head(5)
	full[1] = byte(wire.AnswerBusy) // with documents
	for name, frames := range map[string][][]byte{
		"no answer":       {asked.Append(nil, wire.FrameFetch)},
		"other network":   {other},
		"busy and full":   {full},
		"too large":       {append(head()[:34], 1, 0, 1, 0, 32, 0)},
		"none of a size":  {append(head()[:34], 1, 0, 0, 0, 0, 0)},
		"another number":  {head(5), piece(1, 0, 5)},
		"a gap":           {head(5), piece(0, 1, 4)},
		"too much":        {head(5), piece(0, 0, 6)},
		"again":           {head(5), piece(0, 0, 3), piece(0, 0, 3)},
		"an empty piece":  {head(5), {wire.FramePiece, 0, 0, 0, 0, 0, 0}},
		"not of this key": {nil},
	} {
		bubble.Test(t, func(t *testing.T) {
			ours, theirs := both(t)
			c := conn{serve: func(st net.Conn) {
				defer st.Close()
				go io.Copy(io.Discard, st)
				for _, f := range frames {
					if f == nil {
						st.Write([]byte{40, 0, 0, 0})
						st.Write(make([]byte, 40))
						continue
					}
					theirs.Write(st, f)
				}
			}}
			to := new(taker)
			if _, err := Fetch(t.Context(), c, ours, asked, to); !errors.Is(err, ErrMalformed) || len(to.docs) > 0 {
				t.Errorf("%s: %v, %d documents", name, err, len(to.docs))
			}
		})
	}
}

// Who opens a stream and asks for nothing, or writes what is no FETCH, is let go.
func TestStreamsWithoutFetchEnd(t *testing.T) {
	for _, frame := range [][]byte{nil, asked.Append(nil, wire.FrameNews), {wire.FrameFetch}} {
		bubble.Test(t, func(t *testing.T) {
			ours, theirs := both(t)
			a, b := net.Pipe()
			go io.Copy(io.Discard, a)
			if frame != nil {
				go ours.Write(a, frame)
			}
			start := time.Now()
			err := Serve(t.Context(), b, theirs, func(wire.News) (context.Context, Answer) {
				t.Error("answered")
				return t.Context(), Answer{}
			})
			if err == nil || time.Since(start) > askTime {
				t.Error(err, time.Since(start))
			}
			a.Close()
		})
	}
}

// The end of the giver's context ends an answer that nobody reads.
func TestAnswerEndsWithItsContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ours, theirs := both(t)
		a, b := net.Pipe()
		defer a.Close()
		go ours.Write(a, asked.Append(nil, wire.FrameFetch))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended := false
		err := Serve(t.Context(), b, theirs, func(wire.News) (context.Context, Answer) {
			return ctx, Answer{Docs: [][]byte{{1}}, Ended: func(all bool) { ended = !all }}
		})
		if err == nil || !ended {
			t.Error(err, ended)
		}
	})
}

// Who asks and does not read the refusal holds the stream for a moment only.
func TestRefusalsEndByThemselves(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		ours, theirs := both(t)
		a, b := net.Pipe()
		defer a.Close()
		done := make(chan error, 1)
		go func() {
			done <- Serve(t.Context(), b, theirs, func(wire.News) (context.Context, Answer) {
				return t.Context(), Answer{Status: wire.AnswerBusy}
			})
		}()
		if err := ours.Write(a, asked.Append(nil, wire.FrameFetch)); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err == nil {
				t.Error("nobody has read it, and it was given")
			}
		case <-time.After(time.Minute):
			t.Error("the stream is still held")
		}
	})
}
