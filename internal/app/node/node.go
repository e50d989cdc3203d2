// Package node joins the parts into one running node: identity, TUN device,
// socket, sessions, packet loops, routes and the control socket. It owns the
// order of starting and stopping and nothing else. docs/node.md 8.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/invite"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
	"github.com/libertaria-project/l2tun/transport/discovery"
	"github.com/libertaria-project/l2tun/tun"
)

// Options say which node to run.
type Options struct {
	ConfigPath string
	Socket     string        // control socket; empty: the interface's own
	Log        string        // file that the logger renames and makes anew; empty: none
	Logger     *slog.Logger  // nil: none
	Program    string        // version of the program, for status
	Confirm    time.Duration // the node stops unless it is confirmed within this time; 0: it need not be
	TunFD      int           // descriptor of a device that was passed to us; 0: make one
	Serving    func(Local)   // called before Ready; nil: nobody needs it
	Ready      func()        // called once the interface is up and commands are answered
}

// Local is a running node for its own process, which cannot call the control socket
// any more (docs/node.md 8.4).
type Local interface {
	Status(ctx context.Context) (*control.Status, error)
	Reload(ctx context.Context) error
}

// A node is what Run has started. Fields are set once, in start's order.
type node struct {
	o       Options
	log     *slog.Logger
	id      *did.Identity
	dev     *tun.Device
	net     *transport.Transport
	data    *datapath.Datapath
	kernel  *routing.Kernel
	host    *routing.Watcher
	mtus    *routeMTUs
	manager *session.Manager
	where   places // endpoints of the peers, read by sessions

	discovery *discovery.Discovery // nil: off
	journal   *routing.Journal     // of what is put into the kernel
	settings  *routing.Settings    // of the kernel that the node holds
	keeper    keeper
	confirm   *confirmation

	config atomic.Pointer[config.Config] // what is applied
	mu     sync.Mutex                    // one apply at a time
	rates  rates

	reloads sync.Mutex // one reload at a time

	fence control.Fence // set before anybody asks

	undo  []func() // what Run has to undo, last first
	down  func()   // asks Run to end
	ended chan struct{}
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
	n := &node{o: o, log: o.Logger, mtus: newRouteMTUs(), confirm: newConfirmation(), ended: make(chan struct{})}
	n.down = func() { cancel(context.Canceled) }
	defer n.stop()
	if err := n.start(cancel); err != nil {
		return err
	}
	n.log.Info("node is up", "interface", n.dev.Name(), "did", n.id.DID().String(), "listen", n.net.LocalAddr().String())
	if o.Serving != nil {
		o.Serving(handler{n})
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

// start brings the parts up, each with what undoes it.
func (n *node) start(fail context.CancelCauseFunc) error {
	c, err := config.LoadTrusted(n.o.ConfigPath)
	if err != nil {
		return err
	}
	if n.id, err = config.LoadIdentity(n.o.ConfigPath); err != nil {
		return err
	}
	if err := c.CheckOwn(n.id.DID()); err != nil {
		return err
	}
	steps := []func(*config.Config) error{n.bar, n.startLock, n.startDevice, n.startHost, n.startNetwork, n.startSessions}
	for _, step := range steps {
		if err := step(c); err != nil {
			return err
		}
	}
	n.startLoop(fail)
	if err := n.applyFirst(c); err != nil {
		return err
	}
	if err := n.startDiscovery(c); err != nil {
		return err
	}
	if err := n.startOutside(fail); err != nil {
		return err
	}
	if err := n.confirmStart(fail); err != nil {
		return err
	}
	if err := n.startMetrics(c); err != nil {
		return err
	}
	return n.startControl(c, fail)
}

// applyFirst is apply at the start. One prefix whose packets go elsewhere for the
// time being is no reason to leave all other peers alone.
func (n *node) applyFirst(c *config.Config) error {
	err, taken := except(n.apply(c), routing.ErrTaken)
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

// startLock makes this the only node behind its socket.
func (n *node) startLock(c *config.Config) error {
	lock, err := control.Acquire(n.o.Socket)
	if err != nil {
		return err
	}
	n.defers(func() { lock.Release() })
	return n.startJournal()
}

func (n *node) startDevice(c *config.Config) (err error) {
	if n.dev, err = tun.Create(tun.Config{Name: c.Interface, MTU: c.MTU, FD: n.o.TunFD}); err != nil {
		return err
	}
	n.defers(func() { n.dev.Close() })
	if n.journal, err = routing.NewJournal(control.JournalPath(n.o.Socket), n.dev.Name(), n.dev.Index()); err != nil {
		return err
	}
	n.settings = routing.NewSettings(n.journal)
	n.defers(n.settings.Undo)
	if _, err := n.holdSettings(); err != nil {
		return err
	}
	for _, p := range n.addresses(c) {
		if err := n.addAddress(p); err != nil {
			return err
		}
	}
	if err := n.dev.Up(); err != nil {
		return err
	}
	if n.kernel, err = routing.NewKernel(n.dev.Index()); err != nil {
		return err
	}
	n.kernel.Keep(n.journal)
	n.defers(func() { n.kernel.Undo() })
	return nil
}

func (n *node) startNetwork(c *config.Config) (err error) {
	listen := c.Listen
	if !hasIPv6() && listen.Addr() == netip.IPv6Unspecified() {
		listen = netip.AddrPortFrom(netip.IPv4Unspecified(), listen.Port())
	}
	reset, token := quicKeys(n.id, bootID(), listen)
	n.net, err = transport.Listen(transport.Config{
		Listen:   listen,
		ResetKey: reset,
		TokenKey: token,
		Mark:     c.Mark.Value,
		Carriers: transport.CarriersOf(c.Carriers...),
		Logger:   n.log,
	})
	if err != nil {
		return explainListen(err, c)
	}
	n.defers(func() { n.net.Close() })
	return nil
}

func (n *node) startSessions(c *config.Config) (err error) {
	n.data = datapath.New(n.dev)
	n.data.Guard(guard.New(n.log))
	n.net.Handle(n.data)
	n.manager, err = session.New(session.Config{
		Identity: n.id,
		Network:  n.net,
		Resolver: &n.where,
		Settings: c.Session,
		MTU:      c.MTU,

		AcceptsPartial: n.dev.Offload(),

		Carriers: c.Carriers,
		Logger:   n.log,
		Joins:    &joins{n: n, store: invite.NewStore(n.o.ConfigPath)},
		OnPath:   n.mtus.set,

		ClockSynced: clockSynced,
		Planes: func(sink link.Sink, limits link.QueueLimits) link.Plane {
			return n.data.NewPeer(limits, sink)
		},
	})
	if err != nil {
		return err
	}
	n.data.Hints(n.manager.Unreachable)
	n.defers(func() { n.manager.Close() })
	return nil
}

// startLoop runs the loop from the device to the peers. It ends with the
// device; its end before that ends the node.
func (n *node) startLoop(fail context.CancelCauseFunc) {
	go func() {
		defer close(n.ended)
		if err := n.data.Outbound(); !errors.Is(err, os.ErrClosed) {
			fail(fmt.Errorf("interface %s: %w", n.dev.Name(), err))
		}
	}()
	n.defers(func() {
		n.manager.Close() // first: CLOSE leaves while packets still flow
		if n.o.TunFD != 0 {
			n.kernel.Undo() // the device stays, so its routes would
		}
		n.dev.Close()
		<-n.ended
	})
}

// startControl makes the socket, gives up the privileges that nothing needs after it,
// and answers commands from then on.
func (n *node) startControl(c *config.Config, fail context.CancelCauseFunc) error {
	srv, err := control.NewServer(n.o.Socket, handler{n}, n.log)
	if err != nil {
		return err
	}
	if err := n.confine(c); err != nil {
		return errors.Join(err, srv.Close())
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(); err != nil {
			fail(err)
		}
	}()
	n.defers(func() {
		srv.Close()
		<-served
	})
	return nil
}
