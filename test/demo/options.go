package main

import (
	"flag"
	"fmt"
	"io"
	"time"
)

// DefaultDuration is Options.Duration without -duration.
const DefaultDuration = 3 * time.Second

// maxDuration keeps the whole demo within its limit.
const maxDuration = 15 * time.Second

// Options say how to show the demo.
type Options struct {
	Out      io.Writer
	Color    bool          // Out is a terminal that shows colours
	NAT      bool          // two homes behind NATs, and a hub
	Duration time.Duration // of the throughput measurement, each way: 0.1 s to 15 s
	Program  string        // path of an l2tun program; "": it is built
	Outside  string        // given by the demo to itself: the mount namespace that it was started in
}

func (o *Options) parse(args []string) error {
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.DurationVar(&o.Duration, "duration", DefaultDuration, "how long to measure throughput, each way")
	f.BoolVar(&o.NAT, "nat", false, "two homes behind NATs meet through a hub")
	f.StringVar(&o.Program, "l2tun", "", "an l2tun program to use instead of building one")
	f.StringVar(&o.Outside, "inside", "", "")
	if err := f.Parse(args); err != nil {
		if err == flag.ErrHelp {
			fmt.Fprintf(o.Out, "go run ./test/demo [-nat] [-duration %s] [-l2tun PROGRAM]\n", DefaultDuration)
		}
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q: the demo takes no arguments", f.Arg(0))
	}
	return o.Check()
}

// Check says what is wrong with the options, if anything.
func (o *Options) Check() error {
	if o.Duration < 100*time.Millisecond || o.Duration > maxDuration {
		return fmt.Errorf("-duration: %s is not between 100ms and %s", o.Duration, maxDuration)
	}
	return nil
}
