package main

import (
	"context"
	"os/signal"
	"syscall"
)

// untilInterrupt is ctx until Ctrl-C or SIGTERM; a second one ends the process.
func untilInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
