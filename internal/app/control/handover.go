package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// maxAck is the longest line in bytes by which a program acknowledges.
const maxAck = 128

// An ack is what the program sends for each message, on a line of its own.
type ack struct {
	Number uint64 `json:"ack"`
}

var (
	errGone = errors.New("the program that took messages has gone")
	errAck  = &APIError{http.StatusBadRequest, "a program has to acknowledge each message once, by its number, before it gets the next"}
)

// A handover gives messages to one program, one at a time: a line with the
// message out, a line with its number back. Only then is the message taken;
// whatever happens before leaves it where it was.
type handover struct {
	lines  lineWriter
	acks   chan uint64     // what the program acknowledged
	ctx    context.Context // ends when the program is gone or the server ends
	cancel context.CancelCauseFunc

	mu sync.Mutex // one message is under way
	n  uint64
}

func receiveHandler(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		untimed(w)
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			fail(w, http.StatusInternalServerError, err)
			return
		}
		o := &handover{lines: lineWriter{w: w}, acks: make(chan uint64, 1)}
		o.ctx, o.cancel = context.WithCancelCause(r.Context())
		defer o.cancel(nil)
		defer hurry(o.ctx, w)()
		read := make(chan struct{})
		go func() {
			defer close(read)
			o.cancel(o.readAcks(r))
		}()
		err := h.Receive(o.ctx, r.URL.Query().Get("peer"), o.give)
		if o.ctx.Err() != nil { // what the node says then is only that
			err = context.Cause(o.ctx)
		}
		if errors.Is(err, errGone) || errors.Is(err, context.Canceled) {
			err = nil
		}
		o.lines.end(err)
		http.NewResponseController(w).SetReadDeadline(time.Now()) // ends readAcks
		<-read
	}
}

// readAcks runs until the program ends its side or breaks the rules.
func (o *handover) readAcks(r *http.Request) error {
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, maxAck)
	for lines.Scan() {
		var a ack
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			return errAck
		}
		select {
		case o.acks <- a.Number:
		case <-o.ctx.Done():
			return o.ctx.Err()
		}
	}
	return errGone
}

// give sends a message and returns nil once it is acknowledged. Calls take turns.
func (o *handover) give(m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ctx.Err() != nil {
		return context.Cause(o.ctx)
	}
	o.n++
	m.Number = o.n
	if err := o.lines.write(m); err != nil {
		return errGone
	}
	number, err := o.acknowledged()
	if err == nil && number != o.n {
		o.cancel(errAck)
		return errAck
	}
	return err
}

// acknowledged waits for the next number. One that came before the program
// disconnected counts: it has written the message down.
func (o *handover) acknowledged() (uint64, error) {
	select {
	case n := <-o.acks:
		return n, nil
	case <-o.ctx.Done():
	}
	select {
	case n := <-o.acks:
		return n, nil
	default:
		return 0, context.Cause(o.ctx)
	}
}
