package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
	"unicode/utf8"
)

// MaxMessage is the largest application message in bytes.
const MaxMessage = 1 << 20

// A Message is one that a peer sent.
type Message struct {
	Number uint64 // in this stream, from 1: what is acknowledged
	Peer   string // DID
	Name   string
	Data   []byte
}

// A messageLine is a Message in JSON: text if the bytes are valid UTF-8, else
// base64, never both.
type messageLine struct {
	Stamp
	Number uint64  `json:"number"`
	Peer   string  `json:"peer"`
	Name   string  `json:"name"`
	Text   *string `json:"text,omitempty"`
	Base64 []byte  `json:"base64,omitempty"`
}

// MarshalJSON writes the object of docs/node.md 8.1.
func (m Message) MarshalJSON() ([]byte, error) {
	l := messageLine{Stamp: NewStamp(), Number: m.Number, Peer: m.Peer, Name: m.Name}
	if utf8.Valid(m.Data) {
		text := string(m.Data)
		l.Text = &text
	} else {
		l.Base64 = m.Data
	}
	return json.Marshal(l)
}

// UnmarshalJSON reads it.
func (m *Message) UnmarshalJSON(b []byte) error {
	var l messageLine
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	*m = Message{l.Number, l.Peer, l.Name, l.Base64}
	if l.Text != nil {
		m.Data = []byte(*l.Text)
	}
	return nil
}

func sendHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		msg, err := readMessage(w, r)
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		untimed(w)
		ctx, cancel, err := timed(r)
		if err != nil {
			fail(w, codeOf(err), err)
			return
		}
		defer cancel()
		if err := h.Send(ctx, r.URL.Query().Get("peer"), msg); err != nil {
			fail(w, codeOf(err), err)
			return
		}
		reply(w, http.StatusOK, struct{}{})
	}
}

// timed is the call's context, ended by its timeout if it has one.
func timed(r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.URL.Query().Get("timeout")
	if text == "" {
		return r.Context(), func() {}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return nil, nil, &APIError{http.StatusBadRequest, "timeout is not a duration above zero such as 30s"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), d)
	return ctx, cancel, nil
}

// readMessage reads the body while the server's limit on reading still holds.
func readMessage(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	msg, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &APIError{http.StatusRequestEntityTooLarge, "a message has at most 1 MiB; this one is longer"}
	}
	if err != nil {
		return nil, &APIError{http.StatusBadRequest, "the message did not come whole"}
	}
	return msg, nil
}

// Send sends a message of at most 1 MiB to a peer, given by DID or name, and
// returns when the peer has acknowledged it. The node waits at most timeout, for
// ever if it is 0. *APIError says what became of the message: 404 unknown peer,
// 413 too long, 503 no room, 504 may still arrive, 409 the peer restarted, 408
// withdrawn, 410 session closed.
func (c *Client) Send(ctx context.Context, peer string, msg []byte, timeout time.Duration) error {
	wait := ""
	if timeout > 0 {
		wait = timeout.String()
	}
	resp, err := c.open(ctx, http.MethodPost, "/v1/send?"+query("peer", peer, "timeout", wait), bytes.NewReader(msg))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
