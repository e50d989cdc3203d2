package record

import "errors"

var (
	// ErrKeys refuses keys that no handshake can have made.
	ErrKeys = errors.New("record: malformed keys")
	// ErrLimit says that the key's hard limit is reached: nothing more is
	// sealed under this epoch.
	ErrLimit = errors.New("record: key limit reached")
	// ErrErased says that the epoch's keys are gone.
	ErrErased = errors.New("record: epoch erased")
	// ErrSpace says that the epoch has no such number space.
	ErrSpace = errors.New("record: no such number space in this epoch")
	// ErrTaken says that a record id is in the table already.
	ErrTaken = errors.New("record: id taken")
)
