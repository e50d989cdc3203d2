package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/test/lab"
)

// Port is where a node listens whose config names no other: l2tun init's.
const Port = 4242

// Options say what a node is. All but Shell are required.
type Options struct {
	Program   string       // path of the l2tun program
	Dir       string       // absolute; commands run here
	Name      string       // of the files
	Interface string       // at most 15 bytes
	Inside    netip.Prefix // the address inside the overlay, and its network

	// Shell, if set, is told each command before it runs, as a user would type it
	// in Dir.
	Shell func(line string)
}

// A Node is a config, a key, and the process that runs them, if one does. It is
// for one goroutine, but for Client, Peer and WaitPeer.
type Node struct {
	Options
	Host *lab.Host

	// Config, Socket and Log are paths of the config file, the control socket and
	// what the process prints: NAME.toml, NAME.sock and NAME.log in Dir, unless they
	// are changed while the node does not run. The key is beside the config.
	Config, Socket, Log string

	DID     string     // once Init has run
	Address netip.Addr // the overlay address that follows from the DID; once Init has run
	Made    []byte     // what l2tun init --json printed
	Cmd     *lab.Cmd   // l2tun up; nil while it does not run
}

// New describes a node on a host. Init makes its files.
func New(h *lab.Host, o Options) *Node {
	path := filepath.Join(o.Dir, o.Name)
	return &Node{Options: o, Host: h, Config: path + ".toml", Socket: path + ".sock", Log: path + ".log"}
}

// Client is a client of the node's control socket.
func (n *Node) Client() *control.Client { return control.New(n.Socket) }

// Command prepares a command of the program on the node's host, in its folder. It
// is killed with this process.
func (n *Node) Command(ctx context.Context, args ...string) *lab.Cmd {
	return n.through(ctx, nil, args)
}

// through is Command, by way of another one that runs it.
func (n *Node) through(ctx context.Context, way, args []string) *lab.Cmd {
	if n.Shell != nil {
		n.Shell(strings.ReplaceAll("l2tun "+strings.Join(args, " "), n.Dir+"/", ""))
	}
	line := slices.Concat(way, []string{n.Program}, args)
	c := n.Host.Command(ctx, line[0], line[1:]...)
	if len(way) == 0 {
		c.Args[0] = "l2tun"
	}
	c.Dir = n.Dir
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return c
}

// at are the flags that name the node's config and socket.
func (n *Node) at() []string {
	return []string{"--config", n.Config, "--socket", n.Socket}
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
	out, err := n.Run(ctx, "init", "--config", n.Config, "--interface", n.Interface, "--address", n.Inside.String(), "--json")
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
	config, err := os.ReadFile(n.Config)
	if err != nil {
		return err
	}
	return os.WriteFile(n.Config, append([]byte(text), config...), 0o600)
}

// Append is described at Prepend.
func (n *Node) Append(text string) error {
	f, err := os.OpenFile(n.Config, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// AddPeer adds a peer with further flags, such as --name or --endpoint, to the
// config, and to the node if it runs.
func (n *Node) AddPeer(ctx context.Context, did string, flags ...string) error {
	_, err := n.Run(ctx, slices.Concat([]string{"peer", "add"}, n.at(), flags, []string{did})...)
	return err
}
