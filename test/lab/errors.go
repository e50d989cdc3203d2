package lab

import "errors"

// ErrClosed is returned by a lab, host or relay that has been closed.
var ErrClosed = errors.New("lab: closed")
