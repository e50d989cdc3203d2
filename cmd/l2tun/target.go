package main

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/config"
	"github.com/libertaria-project/l2tun/internal/control"
)

// A target says which node is meant: by its config file, its interface or its
// socket.
type target struct {
	config    string
	iface     string
	socket    string
	configSet bool // --config was given
}

func (t *target) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&t.config, "config", config.DefaultPath, "config `FILE` of the node")
	f.StringVarP(&t.iface, "interface", "i", "", "the node's interface `NAME`, in place of its config")
	f.StringVar(&t.socket, "socket", "", "the node's control socket `PATH`, in place of both")
}

// note remembers which flags were given; commands call it first.
func (t *target) note(c *cobra.Command) error {
	t.configSet = c.Flags().Changed("config")
	if t.iface == "" && !c.Flags().Changed("interface") {
		return nil
	}
	if err := config.CheckInterface(t.iface); err != nil {
		return usagef("-i: %v", err)
	}
	return nil
}

// configPath is the file to edit: -i NAME alone means the one of that name.
func (t *target) configPath() string {
	if t.iface != "" && !t.configSet {
		return filepath.Join(filepath.Dir(config.DefaultPath), t.iface+".toml")
	}
	return t.config
}

// socketPath finds the node's socket. It reads the config only if neither
// --socket nor -i is given, and does without the default one.
func (t *target) socketPath() (string, error) {
	if t.socket != "" {
		return t.socket, nil
	}
	if t.iface == "" {
		name, err := t.configured()
		if err != nil {
			return "", err
		}
		t.iface = name
	}
	return control.SocketPath(t.iface), nil
}

func (t *target) configured() (string, error) {
	c, err := config.Load(t.config)
	if err == nil {
		return c.Interface, nil
	}
	unreadable := errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)
	if unreadable && !t.configSet {
		return config.DefaultInterface, nil
	}
	return "", err
}

// connect returns a client of the node that is meant.
func (t *target) connect() (*control.Client, error) {
	socket, err := t.socketPath()
	if err != nil {
		return nil, err
	}
	return control.New(socket), nil
}

// explain names the interface in the error that no node is there.
func (t *target) explain(err error) error {
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	return &notRunningError{t.iface, err}
}

type notRunningError struct {
	iface string
	why   error
}

func (e *notRunningError) Error() string {
	if e.iface == "" {
		return "no node runs (" + e.why.Error() + ")"
	}
	return "no node runs for interface " + e.iface + " (" + e.why.Error() + ")"
}

func (e *notRunningError) Unwrap() error { return e.why }
