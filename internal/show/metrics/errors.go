package metrics

import "errors"

// ErrNotLoopback: metrics name the node's peers, so nobody elsewhere gets them.
var ErrNotLoopback = errors.New("metrics: not a loopback address")
