package discovery

import "errors"

var (
	// ErrMalformed: the bytes are no packet of this protocol.
	ErrMalformed = errors.New("discovery: malformed packet")
	// ErrConfig: Start was given what it cannot work with.
	ErrConfig = errors.New("discovery: bad configuration")
)
