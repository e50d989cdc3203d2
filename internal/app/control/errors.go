package control

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

var (
	// ErrNotRunning is in every error that means: no node is there to talk to.
	ErrNotRunning = errors.New("control: no node runs")
	// ErrInterrupted: the caller's context was cancelled during the call.
	ErrInterrupted = errors.New("control: interrupted")
	// ErrRunning is in every error that means: a node is there already.
	ErrRunning = errors.New("control: a node runs already")
)

// A statedError is a whole sentence for people that also is a sentinel.
type statedError struct {
	msg  string
	kind error
}

func (e *statedError) Error() string { return e.msg }
func (e *statedError) Unwrap() error { return e.kind }

func stated(kind error, format string, args ...any) error {
	return &statedError{fmt.Sprintf(format, args...), kind}
}

// An APIError is what the node answered instead of doing what was asked.
type APIError struct {
	Code int // HTTP status
	Msg  string
}

func (e *APIError) Error() string { return e.Msg }

// NoSuch reports whether the caller named a peer, a member or a network that is not there.
func (e *APIError) NoSuch() bool {
	return e.Code == http.StatusNotFound && !strings.HasPrefix(e.Msg, noCall)
}

// Mistaken reports whether what the caller has asked for is wrong in itself: it names what is
// not there, or what cannot be.
func (e *APIError) Mistaken() bool { return e.NoSuch() || e.Code == http.StatusBadRequest }

// NotThere is the refusal of a request that names what is not there.
func NotThere(format string, args ...any) error {
	return &APIError{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// Wrong is the refusal of a request that can never be done as it stands.
func Wrong(format string, args ...any) error {
	return &APIError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// noCall is the beginning of the answer to a call that is none.
const noCall = "this node knows no such call"

// NoPeer is the sentence that nobody is called so.
func NoPeer(who string) string {
	return fmt.Sprintf("there is no peer %q (DID, name or overlay address); l2tun status lists the peers", who)
}

// from adds to a refusal that the node is another program than this one, which
// may be why.
func (e *APIError) from(program string) *APIError {
	if program != "" && program != Program() {
		e.Msg += fmt.Sprintf(" (the node is %s and this is %s; restart the node)", program, Program())
	}
	return e
}
