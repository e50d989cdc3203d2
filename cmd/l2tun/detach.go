package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/internal/app/control"
)

const startTime = time.Minute

// detach runs the same command again in a session of its own and waits for its
// report.
func (o *UpOptions) detach(ctx context.Context, iface string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	log, err := o.openLog(iface)
	if err != nil {
		return err
	}
	defer log.Close()
	reports, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reports.Close()
	child, err := o.command(log, theirs)
	if err == nil {
		err = child.Start()
	}
	theirs.Close() // or the end of the child would not end our reading
	if err != nil {
		return fmt.Errorf("cannot start the node in the background: %w", err)
	}
	if err := waitReport(ctx, child, reports, log.Name()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.Out, "%s is up (process %d, log in %s)\n", iface, child.Process.Pid, log.Name())
	if err == nil && o.Confirm > 0 {
		_, err = fmt.Fprintf(o.Out, "it will be rolled back in %s unless confirmed: l2tun confirm%s\n", o.Confirm, o.flag(o.Config))
	}
	return err
}

func (o *UpOptions) openLog(iface string) (*os.File, error) {
	path := o.LogFile
	if path == "" {
		path = control.LogPath(iface)
		if err := control.MakeRuntimeDir(); err != nil {
			return nil, err
		}
	}
	f, err := openLog(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write the log: %w", err)
	}
	return f, nil
}

// command is this program in the foreground, with no terminal and nothing of
// ours but the log and its end of the pipe, which becomes descriptor 3.
func (o *UpOptions) command(log, report *os.File) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	socket, err := filepath.Abs(o.Socket)
	if err != nil {
		return nil, err
	}
	c := exec.Command(self, "up", "--config", o.Config, "--socket", socket,
		"--log-level", o.LogLevel, "--log-format", o.LogFormat, "--ready-fd", "3")
	if o.Confirm > 0 {
		c.Args = append(c.Args, "--confirm", o.Confirm.String())
	}
	c.Dir = "/"
	c.Stdout, c.Stderr = log, log
	c.ExtraFiles = []*os.File{report}
	if o.LogFile == "" {
		c.Args = append(c.Args, "--log-to", log.Name())
	}
	passTunFD(c, o.TunFD)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c, nil
}

// waitReport returns nil once the node is up. A node that is not by then, or
// that nobody waits for any more, is stopped.
func waitReport(ctx context.Context, child *exec.Cmd, reports io.ReadCloser, log string) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { child.Process.Signal(syscall.SIGTERM) })
	defer stop()
	var r startReport
	if err := json.NewDecoder(reports).Decode(&r); err != nil {
		child.Wait()
		return fmt.Errorf("the node ended before its interface was up (%v); %s has its last words", child.ProcessState, log)
	}
	if r.Error != "" {
		child.Wait() // it is on its way out
		return &reportedError{r.Error, r.Code}
	}
	return nil
}
