package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

const sendTime = 30 * time.Second

// SendOptions are the flags and arguments of l2tun send.
type SendOptions struct {
	IO
	target
	Peer    string // DID, name or overlay address
	Text    *string
	Timeout time.Duration
}

func newSendCmd(o *SendOptions, runF func(context.Context, *SendOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "send PEER [TEXT]",
		Short: "Send a message to a peer and wait for the acknowledgement",
		Long: `Send a message of at most 1 MiB to a peer, given by DID, name or overlay address:
TEXT, or standard input unchanged. The command returns when the message is in the peer's queue,
from which "l2tun receive" reads it: exactly once, in the order sent. An empty
standard input is refused; TEXT "" sends an empty message.`,
		Example: `  l2tun send berlin "backup done"
  tar c config | l2tun send berlin`,
		Args: between(1, 2, "a peer and one text"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := o.parse(args); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.peerNames,
	}
	o.flags(c)
	c.Flags().DurationVar(&o.Timeout, "timeout", sendTime, "how long to wait for the peer; 0 waits forever")
	return c
}

func (o *SendOptions) parse(args []string) error {
	o.Peer = args[0]
	if len(args) > 1 {
		o.Text = &args[1]
	}
	if err := noEmptyPeer(o.Peer); err != nil {
		return err
	}
	if o.Timeout < 0 {
		return usagef("--timeout %v: it must not be below 0", o.Timeout)
	}
	return nil
}

func runSend(ctx context.Context, o *SendOptions) error {
	client := o.connect()
	msg, err := o.message() // before signals are caught: Ctrl-C ends the reading
	if err != nil {
		return err
	}
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	err = client.Send(ctx, o.Peer, msg, o.Timeout)
	if errors.Is(err, control.ErrInterrupted) {
		return errors.New("interrupted; the message was withdrawn unless it was on its way already, then it may still arrive")
	}
	return o.explain(err)
}

func (o *SendOptions) message() ([]byte, error) {
	in := o.In
	if o.Text != nil {
		return []byte(*o.Text), nil
	}
	msg, err := io.ReadAll(io.LimitReader(in, control.MaxMessage+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the message: %w", err)
	case len(msg) == 0:
		return nil, usagef(`standard input is empty, so nothing was sent; l2tun send PEER "" sends an empty message`)
	case len(msg) > control.MaxMessage:
		return nil, errors.New("a message has at most 1 MiB (1048576 bytes); what standard input has is longer; nothing was sent")
	}
	return msg, nil
}
