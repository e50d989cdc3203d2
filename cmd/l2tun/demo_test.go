package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDemoTakesADuration(t *testing.T) {
	var got DemoOptions
	c := newDemoCmd(&DemoOptions{}, func(_ context.Context, o *DemoOptions) error { got = *o; return nil })
	c.SetArgs([]string{"--duration", "1s"})
	if err := c.Execute(); err != nil || got.Duration != time.Second || got.Outside != "" {
		t.Error(err, got)
	}
	refused(t, exitUsage, "--duration: 1h0m0s is not between 100ms and 15s", "demo", "--duration", "1h")
	refused(t, exitUsage, "l2tun demo takes no arguments (1 given)", "demo", "now")
}

func TestDemoDoesNotRunInTheUsersNamespace(t *testing.T) {
	here, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	refused(t, 1, "--inside is for the demo itself, in namespaces of its own; run: l2tun demo", "demo", "--inside", here)
	if help := must(t, "demo", "--help"); strings.Contains(help, "--inside") {
		t.Error("what is not for people is in the help")
	}
}
