package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

// A target says which node is meant: by its name (-i NAME: the config
// /etc/l2tun/NAME.toml and the interface NAME), its config file or its socket.
// Without a flag it is the node that runs, if just one does. The config need not
// be right: a command for the running node is needed most when the config has a mistake.
type target struct {
	place
	socket string
	run    string // of sockets; empty: this user's

	name string // of the interface that is meant; "" if a socket was given
	at   string // socket of the node that is meant
	file string // its config; found when it is asked for
}

func (t *target) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&t.config, "config", config.DefaultPath, "config `FILE` of the node")
	f.StringVarP(&t.iface, "interface", "i", "", "`NAME` of the node: interface NAME, config /etc/l2tun/NAME.toml (default the node that runs)")
	f.StringVar(&t.socket, "socket", "", "control socket `PATH` (overrides -i and --config)")
	c.RegisterFlagCompletionFunc("interface", t.completeNames)
}

// note remembers which flags were given and finds the node that they mean;
// commands call it first.
func (t *target) note(c *cobra.Command) error {
	if err := t.place.note(c); err != nil {
		return err
	}
	t.run = c.Root().Annotations[runtimeDir]
	return t.find()
}

func (t *target) folderOfSockets() string {
	if t.run == "" {
		return control.RuntimeDir()
	}
	return t.run
}

func (t *target) socketIn(name string) string {
	return filepath.Join(t.folderOfSockets(), name+".sock")
}

func (t *target) find() (err error) {
	switch {
	case t.socket != "":
		t.name, t.at = "", t.socket
		return nil
	case t.iface != "":
		t.name = t.iface
		if !config.There(t.socketIn(t.name)) { // the config may name another interface
			if path := t.oldPath(); config.There(path) {
				t.name = config.InterfaceOf(path)
			}
		}
	case t.configSet:
		t.name = config.InterfaceOf(t.config)
	default:
		t.name, err = t.running()
	}
	t.at = t.socketIn(t.name)
	return err
}

// running is the node that is meant without a flag: the only one that runs, or
// that of the default config.
func (t *target) running() (string, error) {
	names := control.Running(t.folderOfSockets())
	usual := config.InterfaceOf(t.oldPath())
	switch {
	case len(names) == 0 || slices.Contains(names, usual):
		return usual, nil
	case len(names) == 1:
		return names[0], nil
	}
	return "", usagef("which node? %s run; say which with -i NAME", strings.Join(names, ", "))
}

// configPath is the config of the node that is meant: by its flags, or the one
// that the running node says it has.
func (t *target) configPath() string {
	if t.file == "" {
		t.file = t.findConfig()
	}
	return t.file
}

func (t *target) findConfig() string {
	path := t.oldPath()
	switch {
	case t.configSet, config.There(path) && t.socket == "" && config.InterfaceOf(path) == t.name:
		return path
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusTime)
	defer cancel()
	if s, err := control.New(t.at).Status(ctx); err == nil && s.Config != "" {
		return s.Config
	}
	return path
}

// connect returns a client of the node that is meant.
func (t *target) connect() *control.Client { return control.New(t.at) }

// explain says of the error that no node is there which one was looked for, and
// what may be the matter.
func (t *target) explain(err error) error {
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	if t.configSet && t.socket == "" && !config.There(t.config) {
		_, err := config.Load(t.config)
		return err
	}
	return &notRunningError{t, err}
}

type notRunningError struct {
	t   *target
	why error
}

func (e *notRunningError) Error() string {
	who := "no node runs"
	if e.t.name != "" {
		who += " for interface " + e.t.name
	}
	who += " (" + e.why.Error() + ")"
	switch {
	case control.Crashed(e.t.at):
		return fmt.Sprintf("%s: it was killed; l2tun up%s starts it, l2tun down%s removes what it has left", who, e.t.upFlag(), e.t.flagOf())
	case os.Geteuid() != 0 && e.t.socket == "" && e.t.run == "" && config.There(control.RootsDir):
		return strings.Replace(who, "no node", "no node of yours", 1) + "; root's may: try sudo"
	}
	return who
}

func (e *notRunningError) Unwrap() error { return e.why }

// upFlag is how l2tun up is given the node that is meant.
func (t *target) upFlag() string { return t.flag(t.configPath()) }

// flagOf is how a command about a running node is given the node that is meant.
func (t *target) flagOf() string {
	switch {
	case t.socket != "":
		return " --socket " + t.socket
	case t.name == config.DefaultInterface:
		return ""
	}
	return " -i " + t.name
}

// warnConfig says what is wrong with the config of a node that runs all the same,
// with the config that it read before.
func (t *target) warnConfig(o IO) {
	path := t.configPath()
	if _, err := config.Load(path); err != nil && config.There(path) {
		fmt.Fprintf(o.Err, "l2tun: warning: %s (the node goes on with what it read before)\n", sentence(err))
	}
}
