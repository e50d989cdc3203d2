package control

import (
	"context"
	"errors"
	"net/http"
	"time"
)

const (
	maxLong    = maxConns * 3 / 4 // the others are for status and down
	finalWrite = time.Second      // for the last write of a call that must end
)

// longCalls are the calls that may last as long as the caller waits: how many
// there are, and when they all have to end.
type longCalls struct {
	slots  chan struct{}
	ending context.Context // ends when the server closes
}

func newLongCalls(ending context.Context) *longCalls {
	return &longCalls{make(chan struct{}, maxLong), ending}
}

// lasting makes f a long call: its context ends with the caller's connection or
// the server, and then what it writes has a moment to leave.
func (l *longCalls) lasting(f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case l.slots <- struct{}{}:
			defer func() { <-l.slots }()
		default:
			fail(w, http.StatusServiceUnavailable, errors.New("too many programs wait for this node's events and messages already"))
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(l.ending, cancel)()
		defer hurry(ctx, w)()
		f(w, r.WithContext(ctx))
	}
}

// hurry bounds writing once ctx has ended, for the caller may not read any more.
func hurry(ctx context.Context, w http.ResponseWriter) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(finalWrite))
	})
}

// untimed lifts the server's limits on how long this call may read and write.
// An old read deadline would end the call's context when it passes.
func untimed(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
}
