package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	programFD   = 3                          // of the child: the l2tun program
	programCopy = private + "/l2tun-program" // where the child puts it
	l2tunPath   = "github.com/libertaria-project/l2tun/cmd/l2tun"
)

// openProgram opens the l2tun program at path, or builds one if path is "". What
// it builds has no name any more when openProgram returns.
func openProgram(ctx context.Context, path string) (*os.File, error) {
	if path != "" {
		return os.Open(path)
	}
	dir, err := os.MkdirTemp("", "l2tun-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "l2tun")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, l2tunPath)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build l2tun (%w): %s; run it in the folder of the source, or give a program with -l2tun", err, strings.TrimSpace(string(out)))
	}
	return os.Open(file)
}

// takeProgram copies the program that the parent has opened into the child's own
// /run.
func takeProgram() (err error) {
	from := os.NewFile(programFD, "l2tun")
	defer from.Close()
	to, err := os.OpenFile(programCopy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}
