package main

import (
	"context"
	"log/slog"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/node"
)

// nodeOptions is what a node is started with.
type nodeOptions struct {
	ConfigPath string
	Socket     string
	Log        string // file that the logger renames; "": none
	Logger     *slog.Logger
	Confirm    time.Duration // 0: it need not be confirmed
	TunFD      int           // a device that was passed to us; 0: none
	Serving    func(node.Local)
	Ready      func()         // the interface is up; not nil
	Loaded     *config.Config // of ConfigPath; nil: it is read
}

// A nodeRunner runs a node until ctx ends.
type nodeRunner func(ctx context.Context, o nodeOptions) error

func runNode(ctx context.Context, o nodeOptions) error {
	limitMemory()
	ready, stop := o.Ready, func() bool { return false }
	if o.TunFD != 0 {
		syscall.CloseOnExec(o.TunFD) // the device is the node's alone
	}
	names, why := startNames(o.Loaded, o.Socket, o.Logger)
	defer names.end()
	o.Ready = func() {
		names.begin()
		ready()
		stop = settleMemory()
	}
	defer func() { stop() }()
	return node.Run(ctx, node.Options{ConfigPath: o.ConfigPath, Loaded: o.Loaded, Socket: o.Socket, Log: o.Log, Logger: o.Logger,
		Program: control.Program(), Confirm: o.Confirm, TunFD: o.TunFD, Serving: o.Serving, Ready: o.Ready, Names: why})
}
