package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// maxLine is the longest line of a stream in bytes: a message of 1 MiB with
// every byte escaped.
const maxLine = 8 << 20

// A lineWriter answers a call with one JSON value a line, each sent at once.
type lineWriter struct {
	w     http.ResponseWriter
	begun bool
}

// begin sends the header; from then on an error is a line too.
func (l *lineWriter) begin() error {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(l.w).Flush()
}

func (l *lineWriter) write(v any) error {
	if err := l.begin(); err != nil {
		return err
	}
	if err := json.NewEncoder(l.w).Encode(v); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}

// end finishes the answer; a nil error is the end that the caller asked for.
func (l *lineWriter) end(err error) {
	switch {
	case err == nil:
		l.begin()
	case l.begun:
		l.write(errorBody{err.Error()})
	default:
		fail(l.w, codeOf(err), err)
	}
}

// codeOf is the HTTP status of a handler's error.
func codeOf(err error) int {
	if ae, ok := errors.AsType[*APIError](err); ok {
		return ae.Code
	}
	return http.StatusInternalServerError
}

// readLines passes each value to f until the stream ends (nil), the node says
// why it ends it (*APIError), or f returns an error.
func readLines[T any](c *Client, r io.Reader, f func(T) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e errorBody
		if json.Unmarshal(lines.Bytes(), &e) == nil && e.Error != "" {
			return &APIError{http.StatusInternalServerError, e.Error}
		}
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return c.unreadable(err)
		}
		if err := f(v); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return c.explain(err)
	}
	return nil
}
