package node

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// Port is where a node listens whose config names no other: l2tun init's.
const Port = 4242

// Options say what a node is. All but LogFile and Shell are required.
type Options struct {
	Program   string       // path of the l2tun program
	Dir       string       // absolute; holds NAME.toml, NAME.key, NAME.sock and NAME.log
	Name      string       // of the files
	Interface string       // at most 15 bytes
	Inside    netip.Prefix // the address inside the overlay, and its network

	// LogFile is where the output of the process goes; "" is NAME.log in Dir.
	LogFile string
	// Shell, if set, is told each command before it runs, as a user would type it
	// in Dir.
	Shell func(line string)
}

// A Node is a config, a key, and the process that runs them, if one does. It is
// for one goroutine, but for Client and Exited.
type Node struct {
	Options
	Host    *lab.Host
	DID     string     // once Init has run
	Address netip.Addr // the overlay address that follows from the DID; once Init has run
	Made    []byte     // what l2tun init --json printed
	Cmd     *lab.Cmd   // l2tun up; nil while it does not run
}

// New describes a node on a host. Init makes its files.
func New(h *lab.Host, o Options) *Node { return &Node{Options: o, Host: h} }

// Config is the path of the node's config file.
func (n *Node) Config() string { return n.path(".toml") }

// Socket is the path of the node's control socket.
func (n *Node) Socket() string { return n.path(".sock") }

// Log is the path of what the process prints.
func (n *Node) Log() string { return cmp.Or(n.LogFile, n.path(".log")) }

func (n *Node) path(suffix string) string { return filepath.Join(n.Dir, n.Name+suffix) }

// Client is a client of the node's control socket.
func (n *Node) Client() *control.Client { return control.New(n.Socket()) }

// Command prepares a command of the program on the node's host, in its folder. It
// is killed with this process.
func (n *Node) Command(ctx context.Context, args ...string) *lab.Cmd {
	if n.Shell != nil {
		n.Shell("l2tun " + strings.Join(args, " "))
	}
	c := n.Host.Command(ctx, n.Program, args...)
	c.Args[0] = "l2tun"
	c.Dir = n.Dir
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return c
}

// Run runs a command to its end and returns what it printed. The error is one
// sentence: the last one that the command said itself, if it said any.
func (n *Node) Run(ctx context.Context, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	c := n.Command(ctx, args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return nil, n.Failure("l2tun "+args[0], err, errs.String())
	}
	return out.Bytes(), nil
}

// Failure is the sentence about a command that failed and what it printed.
func (n *Node) Failure(what string, err error, said string) error {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	if last := strings.TrimPrefix(lines[len(lines)-1], "l2tun: "); last != "" {
		return fmt.Errorf("%s failed on %s: %s", what, n.Name, last)
	}
	return fmt.Errorf("%s failed on %s: %w", what, n.Name, err)
}

// Init makes the config and the key with l2tun init.
func (n *Node) Init(ctx context.Context) error {
	out, err := n.Run(ctx, "init", "--config", n.Name+".toml", "--interface", n.Interface, "--address", n.Inside.String(), "--json")
	if err != nil {
		return err
	}
	var id struct {
		DID     string
		Address netip.Addr
	}
	if err := json.Unmarshal(out, &id); err != nil {
		return fmt.Errorf("l2tun init on %s printed no identity: %w", n.Name, err)
	}
	n.DID, n.Address, n.Made = id.DID, id.Address, out
	return nil
}

// Prepend puts top-level keys above the config, and Append adds a section below it.
func (n *Node) Prepend(text string) error {
	config, err := os.ReadFile(n.Config())
	if err != nil {
		return err
	}
	return os.WriteFile(n.Config(), append([]byte(text), config...), 0o600)
}

// Append is described at Prepend.
func (n *Node) Append(text string) error {
	f, err := os.OpenFile(n.Config(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// AddPeer adds a peer with further flags, such as --name or --endpoint, to the
// config, and to the node if it runs.
func (n *Node) AddPeer(ctx context.Context, did string, flags ...string) error {
	args := append([]string{"peer", "add", "--config", n.Name + ".toml", "--socket", n.Name + ".sock"}, flags...)
	_, err := n.Run(ctx, append(args, did)...)
	return err
}
