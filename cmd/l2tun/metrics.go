package main

import (
	"context"

	"github.com/spf13/cobra"
)

// MetricsOptions are the flags of l2tun metrics.
type MetricsOptions struct {
	IO
	target
}

func newMetricsCmd(o *MetricsOptions, runF func(context.Context, *MetricsOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "metrics",
		Short: "Print the node's metrics as Prometheus reads them",
		Long: `Print the metrics of a running node in Prometheus' text format, as a scrape or a
textfile collector wants them. With metrics = "127.0.0.1:9586" in its config the
node answers Prometheus itself, at /metrics.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	return c
}

func runMetrics(ctx context.Context, o *MetricsOptions) error {
	client := o.connect()
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	return o.explain(client.Metrics(ctx, o.Out))
}
