package demo

import (
	"fmt"
	"io"
	"time"
)

// DefaultDuration is Options.Duration of "l2tun demo".
const DefaultDuration = 3 * time.Second

// maxDuration keeps the whole demo within its limit.
const maxDuration = 15 * time.Second

// Options say how to show the demo.
type Options struct {
	Out      io.Writer
	Color    bool          // Out is a terminal that shows colours
	Duration time.Duration // of the throughput measurement, each way: 0.1 s to 15 s
}

// Check says what is wrong with the options, if anything.
func (o Options) Check() error {
	if o.Duration < 100*time.Millisecond || o.Duration > maxDuration {
		return fmt.Errorf("%s is not between 100ms and %s", o.Duration, maxDuration)
	}
	return nil
}
