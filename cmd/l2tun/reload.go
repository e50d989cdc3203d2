package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

const changeTime = 30 * time.Second

// ReloadOptions are the flags of l2tun reload.
type ReloadOptions struct {
	IO
	target
	Confirm time.Duration
}

func newReloadCmd(o *ReloadOptions, runF func(context.Context, *ReloadOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "reload",
		Short: "Reload the configuration of a running node",
		Long: `Reload the configuration of a running node, as SIGHUP does. Sessions of unchanged
peers go on. An invalid config is refused and changes nothing.

With --confirm the current configuration is restored unless "l2tun confirm" is run
within that time (commit-confirmed); the file is never changed.`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := checkConfirm(c, o.Confirm); err != nil {
				return err
			}
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	c.Flags().DurationVar(&o.Confirm, "confirm", 0, "undo the change unless l2tun confirm is run within this time, 1s to 1h")
	return c
}

// checkConfirm refuses a time out of bounds, also a 0 that was typed.
func checkConfirm(c *cobra.Command, d time.Duration) error {
	if c.Flags().Changed("confirm") && (d < control.MinConfirm || d > control.MaxConfirm) {
		return usagef("--confirm %s: choose 1s to 1h", d)
	}
	return nil
}

func runReload(ctx context.Context, o *ReloadOptions) error {
	client := o.connect()
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	if o.Confirm == 0 {
		return o.explain(client.Reload(ctx))
	}
	if err := client.ReloadFor(ctx, o.Confirm); err != nil {
		return o.explain(err)
	}
	_, err := fmt.Fprintf(o.Out, "the new config is in use; it will be rolled back in %s unless confirmed: l2tun confirm%s\n", o.Confirm, o.flagOf())
	return err
}

// ConfirmOptions are the flags of l2tun confirm.
type ConfirmOptions struct {
	IO
	target
}

func newConfirmCmd(o *ConfirmOptions, runF func(context.Context, *ConfirmOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "confirm",
		Short: "Confirm what up --confirm or reload --confirm has changed",
		Args:  exactly(0, "no arguments"),
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

func runConfirm(ctx context.Context, o *ConfirmOptions) error {
	client := o.connect()
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	return o.explain(client.Confirm(ctx))
}
