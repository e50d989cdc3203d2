package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/node"
)

// A service reports the state of its node to the service manager (sd_notify(3)). Without
// NOTIFY_SOCKET in the environment it says nothing.
type service struct {
	socket  string // the node's control socket
	log     *slog.Logger
	manager *net.UnixConn              // nil: there is none
	node    atomic.Pointer[node.Local] // once it serves
}

// newService opens the connection to the service manager now: a running node makes no
// sockets of that kind.
func newService(socket string, log *slog.Logger) *service {
	s := &service{socket: socket, log: log}
	if at := os.Getenv("NOTIFY_SOCKET"); at != "" {
		var err error
		if s.manager, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: at, Net: "unixgram"}); err != nil {
			log.Debug("cannot notify the service manager", "error", err)
		}
	}
	return s
}

// local is the node, by the control socket until it serves.
func (s *service) local() node.Local {
	if n := s.node.Load(); n != nil {
		return *n
	}
	return control.New(s.socket)
}

// watch makes a node report when it is ready, that it still answers, and when
// it is stopped.
func (s *service) watch(run nodeRunner) nodeRunner {
	return func(ctx context.Context, o nodeOptions) error {
		alive, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		close(ended)
		o.Serving = func(n node.Local) { s.node.Store(&n) }
		ready := o.Ready
		o.Ready = func() {
			ready()
			s.say(daemon.SdNotifyReady, "STATUS=the interface is up")
			ended = s.startWatchdog(alive)
		}
		stopping := context.AfterFunc(ctx, func() { s.say(daemon.SdNotifyStopping) })
		err := run(ctx, o)
		stopping()
		stop()
		<-ended
		if err != nil && ctx.Err() == nil {
			s.say("STATUS=" + sentence(err))
		}
		return err
	}
}

// reload frames a reload, so that its caller can wait for its end.
func (s *service) reload(ctx context.Context) error {
	s.say(daemon.SdNotifyReloading, strings.TrimSuffix(daemon.SdNotifyMonotonicUsec(), "\n"))
	err := s.local().Reload(ctx)
	status := "STATUS=config reloaded"
	if err != nil {
		status = "STATUS=the config was refused: " + sentence(err)
	}
	s.say(daemon.SdNotifyReady, status)
	return err
}

// startWatchdog answers the manager's watchdog, if there is one, until ctx ends;
// the channel is closed then.
func (s *service) startWatchdog(ctx context.Context) (ended chan struct{}) {
	ended = make(chan struct{})
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.log.Warn("the service manager's watchdog is not answered", "error", err)
	}
	if every == 0 {
		close(ended)
		return ended
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(every / 2)
		defer tick.Stop()
		for ctx.Err() == nil {
			s.answer(ctx, every/2)
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	return ended
}

// answer notifies the watchdog if the node answers on its control
// socket, which it does only while its sessions do.
func (s *service) answer(ctx context.Context, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	st, err := s.local().Status(ctx)
	if err != nil {
		s.log.Debug("no answer for the watchdog", "error", err)
		return
	}
	up := 0
	for _, p := range st.Peers {
		if p.State == "established" || p.State == "rotating" {
			up++
		}
	}
	s.say(daemon.SdNotifyWatchdog, fmt.Sprintf("STATUS=%s: %d of %d peers established", st.Interface, up, len(st.Peers)))
}

func (s *service) say(lines ...string) {
	if s.manager == nil {
		return
	}
	if _, err := s.manager.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		s.log.Debug("notifying the service manager failed", "error", err)
	}
}
