package logs

import "errors"

var (
	// ErrLevel: there is no such level.
	ErrLevel = errors.New("logs: choose debug, info, warn or error")
	// ErrFormat: there is no such format.
	ErrFormat = errors.New("logs: choose text or json")
)
