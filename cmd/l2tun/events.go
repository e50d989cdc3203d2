package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/screen"
)

// EventsOptions are the flags of l2tun events.
type EventsOptions struct {
	IO
	target
	Peer   string // DID, name or overlay address; empty: all
	Follow bool
	JSON   bool
}

func newEventsCmd(o *EventsOptions, runF func(context.Context, *EventsOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "events [PEER]",
		Short: "Print the state changes of sessions, and follow them",
		Long: `Print the state changes that the node remembers, of all peers or of one PEER,
oldest first: time, peer, from and to, cause, and with keys the epoch and the
link. The node keeps the newest 128 of each peer. With --follow the command then
prints each new one until Ctrl-C.`,
		Args: between(0, 1, "at most one peer"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := optionalPeer(args, &o.Peer); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
		ValidArgsFunction: o.peerNames,
	}
	o.flags(c)
	c.Flags().BoolVarP(&o.Follow, "follow", "f", false, "follow new events")
	c.Flags().BoolVar(&o.JSON, "json", false, "print one JSON object a line, docs/node.md 8.1")
	return c
}

func runEvents(ctx context.Context, o *EventsOptions) error {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	client := o.connect()
	peer, err := o.did(ctx, client)
	if err != nil {
		return o.explain(err)
	}
	p := newPrinter(o.IO)
	return o.explain(client.Events(ctx, o.Follow, func(e control.Event) error {
		if peer != "" && e.Peer != peer {
			return nil
		}
		if o.JSON {
			return json.NewEncoder(o.Out).Encode(e)
		}
		return p.event(e)
	}))
}

// did is that of the peer whose events are wanted; "" for all.
func (o *EventsOptions) did(ctx context.Context, client *control.Client) (string, error) {
	if o.Peer == "" {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	s, err := client.Status(ctx)
	if err != nil {
		return "", err
	}
	p, err := peerOf(s, o.Peer)
	if err != nil {
		return "", err
	}
	return p.DID, nil
}

// event writes one line, and one before it if events are missing there.
func (p *printer) event(e control.Event) error {
	line := ""
	if e.Missed > 0 {
		line = "(" + count(e.Missed, "event") + " lost here: the reader was too slow)\n"
	}
	reason := e.Reason
	if e.From == e.To { // of a meeting, and not of the state
		reason = ""
	}
	line += fmt.Sprintf("%s  %s  %s -> %s  %s", e.Time.Local().Format("2006-01-02 15:04:05.000"), p.bold.Sprint(cmp.Or(e.Name, e.Peer)),
		screen.StateName(e.From), p.state(&control.Peer{State: e.To, Reason: reason}), e.Cause)
	if e.Reason != reason {
		line += " failed: " + e.Reason
	}
	if e.Carrier != "" { // the path alone has changed
		line += " " + screen.EventWay(&e)
	}
	if e.Epoch > 0 {
		line += fmt.Sprintf("  epoch %d", e.Epoch)
	}
	if e.Link != "" {
		line += "  " + e.Link
	}
	_, err := fmt.Fprintln(p.w, line)
	return err
}
