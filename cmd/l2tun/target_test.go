package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
)

// at is a target on a host of the test's own: configs in etc, nodes in run.
func at(t *testing.T, configs map[string]string) *target {
	t.Helper()
	etc, run := t.TempDir(), t.TempDir()
	for name, text := range configs {
		if err := os.WriteFile(filepath.Join(etc, name+".toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &target{place: place{dir: etc, config: config.DefaultPath}, run: run}
}

// runs starts a node of an interface and returns what stops it.
func (t *target) runs(tt *testing.T, name, configPath string) {
	tt.Helper()
	f := &fakeNode{status: control.Status{Interface: name, Config: configPath}}
	ready, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- f.run(ctx, nodeOptions{Socket: t.socketIn(name), Ready: func() { close(ready) }}) }()
	<-ready
	tt.Cleanup(func() { cancel(); <-ended })
}

// One rule says which node is meant: -i NAME is NAME.toml and its interface, no
// flag is the node that runs, or the usual config, or the only one.
func TestWhichNodeIsMeant(t *testing.T) {
	for _, c := range []struct {
		name    string
		configs map[string]string
		running map[string]string // interface to config
		iface   string
		config  string // --config, in etc
		node    string // wanted interface
		file    string // wanted config, without .toml
		refused string
	}{
		{name: "nothing is there", node: "l2tun0", file: "l2tun0"},
		{name: "the usual config", configs: map[string]string{"l2tun0": ""}, node: "l2tun0", file: "l2tun0"},
		{name: "the usual config names another interface", configs: map[string]string{"l2tun0": "interface = \"h2t0\"\n"}, node: "h2t0", file: "l2tun0"},
		{name: "that node runs", configs: map[string]string{"l2tun0": "interface = \"h2t0\"\n"}, running: map[string]string{"h2t0": "l2tun0"}, node: "h2t0", file: "l2tun0"},
		{name: "the only config", configs: map[string]string{"h2t0": ""}, node: "h2t0", file: "h2t0"},
		{name: "two configs, none usual", configs: map[string]string{"a": "", "b": ""}, node: "l2tun0", file: "l2tun0"},
		{name: "one node runs", configs: map[string]string{"a": "", "b": ""}, running: map[string]string{"b": "b"}, node: "b", file: "b"},
		{name: "one node runs, not the usual", configs: map[string]string{"l2tun0": "", "b": ""}, running: map[string]string{"b": "b"}, node: "b", file: "b"},
		{name: "the usual runs with another", configs: map[string]string{"l2tun0": "", "b": ""}, running: map[string]string{"b": "b", "l2tun0": "l2tun0"}, node: "l2tun0", file: "l2tun0"},
		{name: "two run, none usual", configs: map[string]string{"l2tun0": "", "a": "", "b": ""}, running: map[string]string{"a": "a", "b": "b"}, refused: "which node? a, b run; say which with -i NAME"},
		{name: "-i", configs: map[string]string{"l2tun0": "", "a": ""}, iface: "a", node: "a", file: "a"},
		{name: "-i of one that is not there", configs: map[string]string{"l2tun0": ""}, iface: "a", node: "a", file: "a"},
		{name: "-i of a config with another interface", configs: map[string]string{"a": "interface = \"x\"\n"}, iface: "a", node: "x", file: "a"},
		{name: "-i of a node with a config elsewhere", running: map[string]string{"a": "elsewhere"}, iface: "a", node: "a", file: "elsewhere"},
		{name: "--config", configs: map[string]string{"l2tun0": "", "a": "interface = \"x\"\n"}, config: "a", node: "x", file: "a"},
		{name: "a broken config", configs: map[string]string{"l2tun0": "interface = \"h2t0\"\nbogus = 1\n"}, running: map[string]string{"h2t0": "l2tun0"}, node: "h2t0", file: "l2tun0"},
		{name: "a broken --config", configs: map[string]string{"a": "interface = \"x\"\n[[peer"}, config: "a", node: "x", file: "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := at(t, c.configs)
			for name, path := range c.running {
				m.runs(t, name, m.pathOf(path))
			}
			m.iface = c.iface
			if c.config != "" {
				m.config, m.configSet = m.pathOf(c.config), true
			}
			err := m.find()
			if c.refused != "" {
				if err == nil || err.Error() != c.refused {
					t.Errorf("%v, want %s", err, c.refused)
				}
				return
			}
			if err != nil || m.name != c.node || m.at != m.socketIn(c.node) || m.configPath() != m.pathOf(c.file) {
				t.Errorf("%v: %s at %s of %s", err, m.name, m.at, m.configPath())
			}
		})
	}
}

// The doctor looks at the config that there is, whatever interface it names.
func TestDoctorOfAConfigWithAnotherInterface(t *testing.T) {
	path := initConfig(t) // n.toml with l2test0
	out, _, _ := l2tun(t, "doctor", "--offline", "--config", path)
	for _, code := range []string{"L2T-101", "L2T-102"} {
		if strings.Contains(out, code) {
			t.Error(out)
		}
	}
}

// With a mistake in the config the running node is still answered for, the
// mistake is said, and reload alone refuses it.
func TestControlsWorkWithABrokenConfig(t *testing.T) {
	path := initConfig(t)
	f := &fakeNode{status: control.Status{Program: control.Program(), Interface: "l2test0", Config: path,
		Peers: []control.Peer{{DID: peerDID(1), Name: "bob", State: "established", AllowedIPs: []string{"10.9.0.2/32"}}}}}
	socket := f.start(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(path, append(text, "\n[[peer]]\nbogus = 1\n"...), 0o600)
	for _, c := range []struct {
		args   []string
		shows  string
		warned bool
	}{{[]string{"status"}, "bob", true}, {[]string{"peer", "list"}, "10.9.0.2/32", true}, {[]string{"events"}, "", false}, {[]string{"down"}, "", false}} {
		out, errs, code := l2tun(t, append(c.args, "--config", path, "--socket", socket)...)
		if code != 0 || !strings.Contains(out, c.shows) || strings.Contains(errs, "bogus: unknown key") != c.warned {
			t.Errorf("%v: exit %d, %q, %q", c.args, code, out, errs)
		}
	}
}
