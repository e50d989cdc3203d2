package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/show/logs"
)

// UpOptions are the flags of l2tun up.
type UpOptions struct {
	IO
	Node nodeRunner
	place
	Config    string // path
	Socket    string // empty: the interface's own
	Detach    bool
	Confirm   time.Duration // 0: it need not be confirmed
	LogLevel  string
	LogFormat string
	LogFile   string // of a detached node; empty: beside the socket
	LogTo     string // where a detached node keeps its log within bounds
	ReadyFD   int    // where a detached node reports the result of its start; 0: nowhere
	TunFD     int    // a TUN device that was passed to us; 0: none
}

func newUpCmd(o *UpOptions, runF func(context.Context, *UpOptions) error) *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Start a node: create the interface and connect to the peers",
		Long: `Start a node and run it until SIGTERM, Ctrl-C or "l2tun down". SIGHUP reloads the
configuration. With --detach the node runs in the background: the command returns
once the interface is up, or says why it is not. A node that was started so does
not survive a reboot; a service does: systemctl enable --now l2tun@l2tun0.

With --confirm the node stops and removes its interface and routes unless "l2tun
confirm" is run within that time (commit-confirmed).`,
		Example: `  l2tun up --detach
  l2tun up -i office --detach --log-format json
  l2tun up --detach --confirm 5m`,
		Args: exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.note(c); err != nil {
				return err
			}
			if err := checkConfirm(c, o.Confirm); err != nil {
				return err
			}
			o.Config = o.oldPath()
			return runF(c.Context(), o)
		},
	}
	o.flags(c)
	f := c.Flags()
	f.StringVar(&o.Socket, "socket", "", "control socket `PATH` (default the interface's in /run/l2tun)")
	f.BoolVarP(&o.Detach, "detach", "d", false, "run in the background")
	f.DurationVar(&o.Confirm, "confirm", 0, "stop and undo everything unless l2tun confirm is run within this time, 1s to 1h")
	f.StringVar(&o.LogLevel, "log-level", "info", "log `LEVEL`: debug, info, warn or error")
	f.StringVar(&o.LogFormat, "log-format", "text", "log `FORMAT`: text or json")
	f.StringVar(&o.LogFile, "log-file", "", "log `FILE` of a detached node (default NAME.log in /run/l2tun)")
	f.IntVar(&o.TunFD, "tun-fd", 0, "use the TUN device of file descriptor `N` (3 or more) instead of creating one")
	c.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	f.IntVar(&o.ReadyFD, "ready-fd", 0, "")
	f.MarkHidden("ready-fd")
	f.StringVar(&o.LogTo, "log-to", "", "")
	f.MarkHidden("log-to")
	return c
}

func runUp(ctx context.Context, o *UpOptions) error {
	if err := hideMemory(); err != nil {
		return err
	}
	if o.ReadyFD == 0 {
		return o.start(ctx)
	}
	report := newReport(o.ReadyFD)
	defer report.Close()
	o.Node = report.watch(o.Node)
	err := o.start(ctx)
	report.failed(err)
	return err
}

// start checks what can be checked first, so that a mistake is told in the
// foreground and before anything exists.
func (o *UpOptions) start(ctx context.Context) error {
	out, err := o.logOutput()
	if err != nil {
		return err
	}
	log, err := newLogger(out, o.LogLevel, o.LogFormat)
	if err != nil {
		return err
	}
	if err := checkTunFD(o.TunFD); err != nil {
		return err
	}
	c, err := o.check()
	if err != nil {
		return err
	}
	if o.Socket == "" {
		o.Socket = control.SocketPath(c.Interface)
	}
	if o.Config, err = filepath.Abs(o.Config); err != nil {
		return err
	}
	c.Path = o.Config // the node says in its status which config it has
	if o.Detach {
		return o.detach(ctx, c.Interface)
	}
	return o.serve(ctx, c, log)
}

// logOutput is standard error, or the bounded file of a detached node, which is
// open for as long as the process lives.
func (o *UpOptions) logOutput() (io.Writer, error) {
	if o.LogTo == "" {
		return o.Err, nil
	}
	return logs.OpenFile(logs.FileOptions{Path: o.LogTo, Open: openLog, Renewed: follow})
}

func (o *UpOptions) check() (*config.Config, error) {
	c, err := config.LoadTrusted(o.Config)
	if err != nil {
		return nil, err
	}
	id, err := config.LoadIdentity(o.Config)
	if err != nil {
		return nil, err
	}
	return c, c.CheckOwn(id.DID())
}

// serve runs the node until a signal. A second signal ends the process at once.
func (o *UpOptions) serve(ctx context.Context, c *config.Config, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	service := newService(o.Socket, log)
	hangups := onHangup(service.reload, log)
	defer hangups.stop()
	err := service.watch(o.Node)(ctx, nodeOptions{ConfigPath: o.Config, Loaded: c, Socket: o.Socket, Log: o.LogTo, Logger: log, Confirm: o.Confirm, TunFD: o.TunFD, Ready: func() {}})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// newLogger is the node's logger. What goes to the journal is in its form.
func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	f, _ := w.(*os.File)
	l, err := logs.New(w, logs.Options{Level: level, Format: format, Journal: logs.ToJournal(f, os.Getenv)})
	switch {
	case errors.Is(err, logs.ErrLevel):
		return nil, usagef("--log-level %s: choose debug, info, warn or error", level)
	case errors.Is(err, logs.ErrFormat):
		return nil, usagef("--log-format %s: choose text or json", format)
	}
	return l, err
}

// hangups makes the node reload on SIGHUP, as the control socket's reload does.
type hangups struct {
	signals chan os.Signal
	done    chan struct{}
}

func onHangup(reload func(context.Context) error, log *slog.Logger) *hangups {
	h := &hangups{make(chan os.Signal, 1), make(chan struct{})}
	signal.Notify(h.signals, syscall.SIGHUP)
	go func() {
		defer close(h.done)
		for range h.signals {
			if err := reload(context.Background()); err != nil {
				log.Error("the config was refused", "error", err)
				continue
			}
			log.Info("config reloaded")
		}
	}()
	return h
}

func (h *hangups) stop() {
	signal.Stop(h.signals)
	close(h.signals)
	<-h.done
}
