package main

import (
	"context"
	"errors"
	"log/slog"
)

// nodeOptions is what a node is started with.
type nodeOptions struct {
	ConfigPath string
	Socket     string
	Logger     *slog.Logger
	Ready      func() // the interface is up
}

// A nodeRunner runs a node until ctx ends.
type nodeRunner func(ctx context.Context, o nodeOptions) error

func runNode(context.Context, nodeOptions) error {
	return errors.New("this build has no node in it")
}
