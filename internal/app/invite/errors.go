package invite

import (
	"errors"
	"fmt"
)

var (
	// ErrLink: the text is no link, or not the one that was made.
	ErrLink = errors.New("invite: not an invitation")
	// ErrUnknown: no such invitation was made here, or it was withdrawn.
	ErrUnknown = errors.New("invite: unknown invitation")
	// ErrAltered: the invitation is there and the link is another.
	ErrAltered = errors.New("invite: altered invitation")
	// ErrExpired: its time is over.
	ErrExpired = errors.New("invite: expired invitation")
	// ErrUsed: a node has joined by it.
	ErrUsed = errors.New("invite: used invitation")
	// ErrTooMany: more invitations than a node keeps.
	ErrTooMany = errors.New("invite: too many invitations are open; withdraw some: l2tun invite remove")
	// ErrMessage: a request or an answer out of form.
	ErrMessage = errors.New("invite: malformed message")
)

// A TakenError is a name or a prefix that another open invitation has promised.
type TakenError struct{ What, ID string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("%s is in invitation %s already; l2tun invite remove %s withdraws that one", e.What, e.ID, e.ID)
}

// A SpecError is a mistake in what was asked for.
type SpecError struct{ msg string }

func (e *SpecError) Error() string { return e.msg }

func wrongf(format string, args ...any) error {
	return &SpecError{fmt.Sprintf(format, args...)}
}
