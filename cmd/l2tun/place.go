package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/libertaria-project/l2tun/internal/app/config"
)

// A place is where a config lies: -i NAME means NAME.toml in /etc/l2tun, for all
// commands. Without a flag it is l2tun0.toml there or, if there is none, the only
// config that is there.
type place struct {
	config    string
	iface     string
	configSet bool   // --config was given
	dir       string // of configs; empty: /etc/l2tun
}

func (p *place) flags(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringVar(&p.config, "config", config.DefaultPath, "config `FILE`")
	f.StringVarP(&p.iface, "interface", "i", "", "`NAME`: the config is /etc/l2tun/NAME.toml")
	c.RegisterFlagCompletionFunc("interface", p.completeNames)
}

// note remembers which flags were given; commands call it first.
func (p *place) note(c *cobra.Command) error {
	p.configSet = c.Flags().Changed("config")
	p.dir = c.Root().Annotations[configDir]
	if p.iface == "" && !c.Flags().Changed("interface") {
		return nil
	}
	if err := config.CheckInterface(p.iface); err != nil {
		return usagef("-i: %v", err)
	}
	return nil
}

func (p *place) folder() string {
	if p.dir == "" {
		return config.Dir
	}
	return p.dir
}

func (p *place) pathOf(name string) string { return filepath.Join(p.folder(), name+".toml") }

// newPath is a config that is to be made.
func (p *place) newPath() string {
	switch {
	case p.configSet:
		return p.config
	case p.iface != "":
		return p.pathOf(p.iface)
	}
	return p.pathOf(config.DefaultInterface)
}

// oldPath is a config that is there.
func (p *place) oldPath() string {
	path := p.newPath()
	if p.configSet || p.iface != "" || config.There(path) {
		return path
	}
	if only, ok := config.Only(p.folder()); ok {
		return only
	}
	return path
}

// flag is how another command is given the config at path: nothing for the one
// that is meant without a flag.
func (p *place) flag(path string) string {
	switch {
	case path == p.pathOf(config.DefaultInterface):
		return ""
	case path == p.pathOf(config.Named(path)):
		return " -i " + config.Named(path)
	}
	return " --config " + path
}
