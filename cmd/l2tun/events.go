package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/control"
)

// EventsOptions are the flags of l2tun events.
type EventsOptions struct {
	IO
	target
	Follow bool
	JSON   bool
}

func newEventsCmd(o *EventsOptions, runF func(context.Context, *EventsOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "events",
		Short: "Print how sessions have changed, and go on as they change",
		Long: `Print the changes of state that the node remembers, oldest first: time, peer, from
and to, cause, and with keys the epoch and the link. With --follow the command
then prints each new one until it is interrupted.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().BoolVarP(&o.Follow, "follow", "f", false, "go on with new events")
	c.Flags().BoolVar(&o.JSON, "json", false, "print one JSON object a line, SPEC \"Control\"")
	return c
}

func runEvents(ctx context.Context, o *EventsOptions) error {
	ctx, stop := untilInterrupt(ctx)
	defer stop()
	client := o.connect()
	p := newPrinter(o.IO)
	return o.explain(client.Events(ctx, o.Follow, func(e control.Event) error {
		if o.JSON {
			return json.NewEncoder(o.Out).Encode(e)
		}
		return p.event(e)
	}))
}

// event writes one line, and one before it if events are missing there.
func (p *printer) event(e control.Event) error {
	line := ""
	if e.Missed > 0 {
		line = "(" + count(e.Missed, "event") + " lost here: this command was too slow)\n"
	}
	line += fmt.Sprintf("%s  %s  %s -> %s  %s", e.Time.Local().Format("2006-01-02 15:04:05.000"), p.bold.Sprint(cmp.Or(e.Name, e.Peer)),
		e.From, p.state(&control.Peer{State: e.To, Reason: e.Reason}), e.Cause)
	if e.Epoch > 0 {
		line += fmt.Sprintf("  epoch %d", e.Epoch)
	}
	if e.Link != "" {
		line += "  " + e.Link
	}
	_, err := fmt.Fprintln(p.w, line)
	return err
}
