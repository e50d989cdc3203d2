package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/control"
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
		Short: "Write the packets inside the tunnel to a pcapng file",
		Long: `Write the packets that pass between the system and the peers of a running node,
as they are inside the tunnel, to FILE or, for "-", to standard output, in the
pcapng format that Wireshark and tcpdump read, until an interrupt:

    l2tun capture - --peer berlin | tcpdump -n -r -

Each packet has its direction and its peer. The node waits for nobody: what is
not fetched in time is left out and counted. Packets that the kernel hands over
joined are shown joined, with a checksum that is not complete.`,
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
	f.StringVar(&o.Peer, "peer", "", "only the packets of this `PEER`, a DID or a name")
	f.IntVarP(&o.Count, "count", "c", 0, "end after `N` packets; 0: at an interrupt")
	f.IntVar(&o.SnapLen, "snaplen", 0, "keep at most so many `BYTES` of each packet; 0: all")
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
	got, err := client.Capture(ctx, o.CaptureOptions, func() { fmt.Fprintln(o.Err, "capturing; an interrupt ends it") }, out)
	err = errors.Join(err, done())
	if errors.Is(err, control.ErrInterrupted) {
		err = nil
	}
	if err == nil {
		fmt.Fprintf(o.Err, "%d packets captured, %d left out\n", got.Packets, got.Dropped)
	}
	return o.explain(err)
}

// open makes the file when the first byte comes, so that a refused capture
// leaves none; others cannot read it.
func (o *CaptureOptions) open() (io.Writer, func() error, error) {
	if o.File != "-" {
		l := &lateFile{path: o.File}
		return l, l.Close, nil
	}
	if o.terminal() {
		return nil, nil, usagef(`a capture on a terminal is not readable; name a file, or pipe "-" to tcpdump -r -`)
	}
	return o.Out, func() error { return nil }, nil
}

// A lateFile is made with its first bytes. One that was there becomes its owner's
// alone too.
type lateFile struct {
	path string
	f    *os.File
}

func (l *lateFile) Write(b []byte) (n int, err error) {
	if l.f == nil {
		if l.f, err = os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
			return 0, err
		}
		if err := closeToOthers(l.f); err != nil {
			return 0, err
		}
	}
	return l.f.Write(b)
}

// closeToOthers leaves devices and pipes as they are.
func closeToOthers(f *os.File) error {
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return f.Chmod(0o600)
}

func (l *lateFile) Close() error {
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}
