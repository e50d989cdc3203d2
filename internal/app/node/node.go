// Package node joins the parts into one running node: identity, TUN device,
// socket, sessions, packet loops, routes and the control socket. It owns the
// order of starting and stopping and nothing else. docs/node.md 8.
package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/join"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/transport"
)

// Options say which node to run.
type Options struct {
	ConfigPath string
	Loaded     *config.Config // of ConfigPath, by config.LoadTrusted just now; nil: it is read
	Socket     string         // control socket; empty: the interface's own
	Log        string         // file that the logger renames and makes anew; empty: none
	Logger     *slog.Logger   // nil: none
	Program    string         // version of the program, for status
	Confirm    time.Duration  // the node stops unless it is confirmed within this time; 0: it need not be
	TunFD      int            // descriptor of a device that was passed to us; 0: make one
	Serving    func(Local)    // called before Ready; nil: nobody needs it
	Ready      func()         // called once the interface is up and commands are answered

	Names Names
}

// Names say why no program makes the names of peers known on the host; the zero value:
// one is about to.
type Names struct {
	Absent string
	Apart  bool // it is not meant to
}

// Local is a running node for its own process, which cannot call the control socket
// any more (docs/node.md 8.4).
type Local interface {
	Status(ctx context.Context) (*control.Status, error)
	Reload(ctx context.Context) error
}

// A node is what Run has started: it starts and stops the parts, which do the rest.
// Fields are set once, in start's order.
type node struct {
	o      Options
	log    *slog.Logger
	id     *did.Identity
	box    *sandbox
	net    *transport.Transport
	use    *applier
	keeper *keeper
	rates  *rates
	finder *finder // nil: no discovery
	around *surroundings
	mapped *portMapping
	naming *naming
	joins  *join.Proxying // those that pass this node as a hub

	changes  *changes
	reporter *reporter

	undo  []func() // what Run has to undo, last first
	down  func()   // asks Run to end
	ended chan struct{}
}

// handler answers the control socket; each part answers the calls of one subject.
type handler struct {
	*changes
	*reporter
	peerCalls
	captures
	*naming
	reasons
	networkCalls
	down func()
}

var (
	_ control.Namer      = handler{}
	_ control.Handler    = handler{}
	_ control.Observer   = handler{}
	_ control.Networking = handler{}
)

// Down implements control.Handler.
func (h handler) Down() { h.down() }

func (n *node) handler() handler {
	calls := peerCalls{n.use}
	return handler{n.changes, n.reporter, calls, captures{calls}, n.naming, reasons{calls}, networkCalls{n.id, n.use}, n.down}
}

// Run brings a node up and returns when ctx ends, a client asks for it, or the
// device fails. Interface, routes, socket and lock are gone by then. Errors of
// config and key file are *config.Error and *config.KeyError.
func Run(ctx context.Context, o Options) error {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n := &node{o: o, log: o.Logger, rates: new(rates), ended: make(chan struct{})}
	n.down = func() { cancel(context.Canceled) }
	defer n.stop()
	if err := n.start(cancel); err != nil {
		return err
	}
	n.log.Info("node is up", "interface", n.use.dev.Name(), "did", n.id.DID().String(), "listen", n.net.LocalAddr().String())
	if o.Serving != nil {
		o.Serving(n.handler())
	}
	if o.Ready != nil {
		o.Ready()
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// parts makes what needs nothing started.
func (n *node) parts(c *config.Config) {
	if n.o.Socket == "" {
		n.o.Socket = control.SocketPath(c.Interface)
	}
	n.box = &sandbox{config: n.o.ConfigPath, socket: n.o.Socket, file: n.o.Log, log: n.log}
	n.use = &applier{log: n.log, id: n.id.DID(), mtus: newRouteMTUs(), limits: limits{log: n.log, me: n.id.DID()}}
	n.keeper = &keeper{use: n.use, log: n.log}
	n.changes = &changes{path: n.o.ConfigPath, id: n.id.DID(), log: n.log, use: n.use, confirm: newConfirmation()}
}

// start brings the parts up, each with what undoes it.
func (n *node) start(fail context.CancelCauseFunc) error {
	c, err := n.loaded()
	if err != nil {
		return err
	}
	if n.id, err = config.LoadIdentity(n.o.ConfigPath); err != nil {
		return err
	}
	if err := c.CheckOwn(n.id.DID()); err != nil {
		return err
	}
	n.parts(c)
	steps := []func(*config.Config) error{n.box.bar, n.startLock, n.startDevice, n.startHost, n.startNetwork, n.startNames, n.lookAround, n.startMemory, n.startSessions}
	for _, step := range steps {
		if err := step(c); err != nil {
			return err
		}
	}
	n.startLoop(fail)
	if err := n.applyFirst(c); err != nil {
		return err
	}
	n.settleJoins()
	n.startDiscovery(c)
	n.preparePortMapping(c)
	if err := n.startWatcher(fail); err != nil {
		return err
	}
	if err := n.confirmStart(fail); err != nil {
		return err
	}
	if err := n.startMetrics(c); err != nil {
		return err
	}
	if err := n.startControl(c, fail); err != nil {
		return err
	}
	n.defers(n.naming.close) // first of all: the host forgets names while they still lead somewhere
	n.mapped.start()
	n.startSeeking(c)
	return nil
}

// loaded is the config. It is not kept: a reload brings another.
func (n *node) loaded() (c *config.Config, err error) {
	if c, n.o.Loaded = n.o.Loaded, nil; c == nil {
		c, err = config.LoadTrusted(n.o.ConfigPath)
	}
	return c, err
}

// applyFirst is apply at the start. One prefix whose packets go elsewhere for the
// time being is no reason to leave all other peers alone.
func (n *node) applyFirst(c *config.Config) error {
	err, taken := except(n.changes.stands(n.use.apply(c)), routing.ErrTaken)
	if taken != nil {
		n.log.Warn("the kernel prefers other routes to some prefixes of peers", "error", taken)
	}
	return err
}

// stop undoes what start did, the last first.
func (n *node) stop() {
	for i := len(n.undo) - 1; i >= 0; i-- {
		n.undo[i]()
	}
}

func (n *node) defers(f func()) { n.undo = append(n.undo, f) }
