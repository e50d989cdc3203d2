package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	self     = "/proc/self/exe"    // this program
	mounts   = "/proc/self/ns/mnt" // names the mount namespace of the reader
	private  = "/run"              // becomes the demo's own
	farewell = 15 * time.Second    // for the child to clean up in
)

// errInterrupted ends a demo that a signal has broken off.
var errInterrupted = errors.New("interrupted; nothing is left of the demo")

// Run shows the demo and returns when nothing is left of it. When ctx ends, the
// demo is broken off. Every error is one sentence for people.
func Run(ctx context.Context, o Options) error {
	outside, err := os.Readlink(mounts)
	if err != nil {
		return fmt.Errorf("cannot read %s (%w): mount /proc (mount -t proc proc /proc)", mounts, reason(err))
	}
	program, err := openProgram(ctx, o.Program)
	if ctx.Err() != nil {
		return errInterrupted
	}
	if err != nil {
		return err
	}
	defer program.Close()
	var said bytes.Buffer
	child := isolated(ctx, "-inside", outside, "-duration", o.Duration.String(), fmt.Sprintf("-nat=%t", o.NAT))
	child.Stdout, child.Stderr = o.Out, &said
	child.ExtraFiles = []*os.File{program} // programFD
	// The child dies with the thread that started it, which therefore has to
	// be kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := child.Start(); err != nil {
		return refused(reason(err), os.Geteuid() != 0)
	}
	err = child.Wait()
	if child.ProcessState.Success() {
		return nil // a signal came too late to break anything off
	}
	return verdict(err, said.String())
}

// reason is the system's, without the path of this program.
func reason(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// isolated is this program in namespaces of its own. Without root it gets a
// user namespace, in which the user is root, and only there.
func isolated(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, self, args...)
	c.Args[0] = "demo"
	c.Env = append(os.Environ(), "TMPDIR="+private)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = farewell
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return c
}

// verdict turns the end of the child into an error: its own sentence, which it
// wrote to its standard error, or what became of it.
func verdict(ended error, said string) error {
	said = strings.TrimSpace(said)
	if sentence, ok := strings.CutPrefix(said, "demo: "); ok {
		return errors.New(sentence)
	}
	if said != "" {
		return fmt.Errorf("the demo broke (%w): %s", ended, said)
	}
	return fmt.Errorf("the demo broke (%w)", ended)
}
