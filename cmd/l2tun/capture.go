package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

// CaptureOptions are the flags and the argument of l2tun capture.
type CaptureOptions struct {
	IO
	target
	control.CaptureOptions
	File string // "-": standard output
}

func newCaptureCmd(o *CaptureOptions, runF func(context.Context, *CaptureOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "capture FILE",
		Short: "Capture the packets inside the tunnel (pcapng)",
		Long: `Write the packets that pass between the system and the peers of a running node,
unencrypted, to FILE or, for "-", to standard output, in the pcapng format that
Wireshark and tcpdump read, until Ctrl-C. FILE must not exist, unless it is a
named pipe; others cannot read it.

Each packet has its direction and its peer. A slow reader loses packets, which are
counted. GSO/GRO super-packets are shown unsplit, with an incomplete checksum.`,
		Example: `  l2tun capture trace.pcapng -c 1000
  l2tun capture - --peer berlin | tcpdump -n -r -`,
		Args: exactly(1, `one file, or "-"`),
		RunE: func(c *cobra.Command, args []string) error {
			o.File = args[0]
			if err := errors.Join(o.note(c), o.check()); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.Peer, "peer", "", "capture the packets of one `PEER` (DID, name or overlay address)")
	f.IntVarP(&o.Count, "count", "c", 0, "stop after `N` packets (default: at Ctrl-C)")
	f.IntVar(&o.SnapLen, "snaplen", 0, "keep the first `BYTES` of each packet (default: all)")
	c.RegisterFlagCompletionFunc("peer", func(c *cobra.Command, _ []string, to string) ([]string, cobra.ShellCompDirective) {
		return o.peerNames(c, nil, to)
	})
	return c
}

func (o *CaptureOptions) check() error {
	switch {
	case o.File == "":
		return usagef(`to which file? "-" is standard output`)
	case o.Count < 0:
		return usagef("--count %d: it must not be below 0", o.Count)
	case o.SnapLen < 0:
		return usagef("--snaplen %d: it must not be below 0", o.SnapLen)
	}
	return nil
}

func runCapture(ctx context.Context, o *CaptureOptions) error {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	client := o.connect()
	out, done, err := o.open()
	if err != nil {
		return err
	}
	got, err := client.Capture(ctx, o.CaptureOptions, func() { fmt.Fprintln(o.Err, "capturing; press Ctrl-C to stop") }, out)
	err = errors.Join(err, done())
	if errors.Is(err, control.ErrInterrupted) {
		err = nil
	}
	if err == nil {
		fmt.Fprintf(o.Err, "%d packets captured, %d dropped\n", got.Packets, got.Dropped)
	}
	return o.explain(err)
}

// open makes the file when the first byte comes, so that a refused capture
// leaves none; others cannot read it.
func (o *CaptureOptions) open() (io.Writer, func() error, error) {
	if o.File != "-" {
		l := &lateFile{path: o.File}
		return l, l.Close, refuseExisting(o.File)
	}
	if o.terminal() {
		return nil, nil, usagef(`a capture on a terminal is not readable; name a file, or pipe "-" to tcpdump -r -`)
	}
	return o.Out, func() error { return nil }, nil
}

// A lateFile is made with its first bytes.
type lateFile struct {
	path string
	f    *os.File
}

func (l *lateFile) Write(b []byte) (n int, err error) {
	if l.f == nil {
		if l.f, err = createNew(l.path); err != nil {
			return 0, err
		}
	}
	return l.f.Write(b)
}

func (l *lateFile) Close() error {
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}
