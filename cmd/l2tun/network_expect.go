package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/network"
)

// maxExpectations bounds the file of l2tun network test, bytes.
const maxExpectations = 1 << 20

// NetworkTestOptions are the arguments of l2tun network test.
type NetworkTestOptions struct {
	*networkTarget
	File string // "-" for standard input
}

func newNetworkTestCmd(o *NetworkTestOptions, runF func(context.Context, *NetworkTestOptions) error) *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE",
		Short: "Hold a file of what members may and may not do against the grants",
		Long: `Read lines such as these from FILE (- for standard input), and hold them against the
documents of the network that this node has:

  laptop -> nas tcp:22 yes
  laptop -> 192.168.50.0/24 tcp:22 no
  phone -> exit udp:443 yes        # what follows a # is passed over

Lines that the grants do not bear out are printed, and the exit code is 1. Members are
named by name or DID. Pings of members and answers, which need no grant, and the
[[only]] blocks of the receiving node, which only it has, are not looked at.`,
		Args: exactly(1, "a file"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			o.File = args[0]
			return runF(c.Context(), o)
		},
	}
}

func runNetworkTest(_ context.Context, o *NetworkTestOptions) error {
	text, err := o.read()
	if err != nil {
		return err
	}
	all, err := network.ParseExpectations(text)
	if err != nil {
		return usagef("%s: %v", o.File, err)
	}
	_, st, err := o.held()
	if err != nil {
		return err
	}
	return o.judge(st.View(), all)
}

// read reads the file.
func (o *NetworkTestOptions) read() (string, error) {
	in := o.In
	if o.File != "-" {
		f, err := os.Open(o.File)
		if err != nil {
			return "", usagef("%v", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxExpectations+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read %s: %w", o.File, err)
	case len(b) > maxExpectations:
		return "", usagef("%s is larger than %d MiB and surely no file of lines to test", o.File, maxExpectations>>20)
	}
	return string(b), nil
}

// judge prints each line that the grants do not bear out.
func (o *NetworkTestOptions) judge(v *network.View, all []network.Expectation) error {
	wrong := 0
	for _, e := range all {
		by, err := e.By(v)
		if err != nil {
			return usagef("%s: %v", o.File, err)
		}
		if (by != "") == e.Yes {
			continue
		}
		wrong++
		why := "no grant lets it pass"
		if by != "" {
			why = by
		}
		fmt.Fprintln(o.Out, printable(fmt.Sprintf("line %d: %v: %s", e.Line, e, why)))
	}
	if wrong > 0 {
		return errors.New(count(uint64(wrong), "line") + " of " + o.File + " not as the grants say")
	}
	_, err := fmt.Fprintf(o.Out, "%s, all as the grants say\n", count(uint64(len(all)), "line"))
	return err
}
