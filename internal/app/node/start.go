package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/netstore"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/portmap"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/internal/show/metrics"
	"github.com/libertaria-project/l2tun/routing"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
	"github.com/libertaria-project/l2tun/tun"
)

// startLock makes this the only node behind its socket.
func (n *node) startLock(c *config.Config) error {
	lock, err := control.Acquire(n.o.Socket)
	if err != nil {
		return err
	}
	n.defers(func() { lock.Release() })
	if err := undoEarlier(n.o.Socket, n.log); err != nil {
		return err
	}
	n.defers(func() { n.use.journal.Close() }) // last: the journal goes when all that it names is gone
	return nil
}

func (n *node) startDevice(c *config.Config) (err error) {
	if n.use.dev, err = tun.Create(tun.Config{Name: c.Interface, MTU: c.MTU, FD: n.o.TunFD}); err != nil {
		return err
	}
	n.defers(func() { n.use.dev.Close() })
	if n.use.journal, err = routing.NewJournal(control.JournalPath(n.o.Socket), n.use.dev.Name(), n.use.dev.Index()); err != nil {
		return err
	}
	n.use.settings = routing.NewSettings(n.use.journal)
	n.defers(n.use.settings.Undo)
	if _, err := holdSettings(n.use.settings, n.use.dev.Name()); err != nil {
		return err
	}
	for _, p := range n.use.addresses(c) {
		if err := n.use.addAddress(p); err != nil {
			return err
		}
	}
	if err := n.use.dev.Up(); err != nil {
		return err
	}
	if n.use.kernel, err = routing.NewKernel(n.use.dev.Index()); err != nil {
		return err
	}
	n.use.kernel.Keep(n.use.journal)
	n.defers(func() { n.use.kernel.Undo() })
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
	n.reporter = &reporter{program: n.o.Program, socket: n.o.Socket, net: n.net, use: n.use, keeper: n.keeper, rates: n.rates}
	return nil
}

// startNames begins to answer for the names of peers.
func (n *node) startNames(c *config.Config) error {
	mode := c.DNS
	if mode == "" {
		mode = config.DNSAuto
	}
	n.naming = newNaming(n.use, mode, n.o.Names, n.log)
	n.reporter.naming = n.naming
	if mode != config.DNSOff {
		n.naming.dns.start(n.o.Socket, n.use.dev.Name(), n.log)
		n.defers(n.naming.dns.close)
	}
	n.use.onApplied(n.naming.refresh)
	return nil
}

// lookAround makes ready what asks the kernel about this host's place.
func (n *node) lookAround(c *config.Config) error {
	hops, err := routing.NewNextHops(c.Mark.Value)
	if err != nil {
		return err
	}
	n.defers(hops.Close)
	n.around = &surroundings{listen: n.net.LocalAddr(), host: n.use.host.Addresses, hops: hops}
	n.reporter.around = n.around
	return nil
}

func (n *node) startSessions(c *config.Config) (err error) {
	n.use.data = datapath.New(n.use.dev)
	n.use.data.Guard(guard.New(n.log))
	n.net.Handle(n.use.data)
	n.startHub(c)
	var manager atomic.Pointer[session.Manager]
	joins, relay := n.startJoins(&manager)
	n.openNetworks()
	n.use.manager, err = session.New(session.Config{
		Identity: n.id,
		Network:  n.net,
		Resolver: &n.use.where,
		Settings: c.Session,
		MTU:      c.MTU,

		AcceptsPartial: n.use.dev.Offload(),

		Carriers: c.Carriers,
		Logger:   n.log,
		Relay:    relay,
		Networks: n.use.networks,
		Table:    n.use.data,
		Addresses: session.Addresses{Own: n.around.own, Near: n.around.near, Mapped: n.around.mappedAt,
			Configured: n.use.endpoints,
			Spray:      n.use.sprays},
		Joins:  joins,
		Memory: n.use.memory,
		OnPath: n.use.mtus.set,

		ClockSynced: clockSynced,
		Planes: func(sink link.Sink, limits link.QueueLimits) link.Plane {
			return n.use.data.NewPeer(limits, sink)
		},
	})
	if err != nil {
		return err
	}
	manager.Store(n.use.manager)
	n.use.data.Hints(n.use.manager.Unreachable)
	n.use.where.known = n.use.configured
	n.defers(func() { n.use.manager.Close() })
	n.use.networks.Start(members{n.use}, c.Networks)
	n.defers(n.use.networks.Close)
	return nil
}

// openNetworks reads the networks of this node. They are in use once there are sessions.
func (n *node) openNetworks() {
	n.use.networks = membership.Open(membership.Config{
		Self:    n.id.DID(),
		Folder:  netstore.FolderOf(n.o.ConfigPath),
		Static:  n.use.static,
		Changed: n.use.applyMembers,
		Log:     n.log,
		Guard:   guard.New(n.log),
	})
}

// startHost begins to follow the host's addresses; the watcher applies their changes.
func (n *node) startHost(*config.Config) error {
	ctx, cancel := context.WithCancel(context.Background())
	host, err := routing.Watch(ctx, n.use.dev.Index())
	if err != nil {
		cancel()
		return fmt.Errorf("watch the host's addresses: %w", err)
	}
	n.use.host = host
	n.defers(func() {
		cancel()
		for range host.Changes() { // the watcher closes it when it has ended
		}
	})
	return nil
}

// startLoop runs the loop from the device to the peers. It ends with the
// device; its end before that ends the node.
func (n *node) startLoop(fail context.CancelCauseFunc) {
	go func() {
		defer close(n.ended)
		if err := n.use.data.Outbound(); !errors.Is(err, os.ErrClosed) {
			fail(fmt.Errorf("interface %s: %w", n.use.dev.Name(), err))
		}
	}()
	n.defers(func() {
		n.use.manager.Close() // first: CLOSE leaves while packets still flow
		if n.o.TunFD != 0 {
			n.use.kernel.Undo() // the device stays, so its routes would
		}
		n.use.dev.Close()
		<-n.ended
	})
}

func (n *node) startDiscovery(c *config.Config) {
	if n.finder = startFinder(c, n.use, n.net.LocalAddr(), n.log); n.finder != nil {
		n.defers(n.finder.close)
	}
}

// preparePortMapping makes ready what asks routers. It has started nothing yet, and is
// closed while everything that it needs still runs.
func (n *node) preparePortMapping(c *config.Config) {
	at := n.net.LocalAddr()
	n.mapped = newPortMapping(n.use, portmap.Config{Port: at.Port(), Gateways: gatewaysOf(at.Addr(), n.around.gateways), Seed: n.id.Secret("l2tun port mapping v1"),
		Control: marking(c.Mark.Value), Log: n.log, Guard: guard.New(n.log)})
	n.reporter.mapped = n.mapped
	n.around.ports.Store(n.mapped)
	n.defers(n.mapped.close)
}

// startWatcher begins to follow events of the host.
func (n *node) startWatcher(fail context.CancelCauseFunc) error {
	stop, err := startWatcher(&watcher{log: n.log, use: n.use, keeper: n.keeper, rates: n.rates, finder: n.finder, mapped: n.mapped, fail: fail})
	if err != nil {
		return err
	}
	n.defers(stop)
	return nil
}

// confirmStart lets a node that is up live on only if that is confirmed.
func (n *node) confirmStart(fail context.CancelCauseFunc) error {
	n.defers(n.changes.confirm.stop)
	if n.o.Confirm == 0 {
		return nil
	}
	return n.changes.confirm.begin(n.o.Confirm, func() {
		fail(fmt.Errorf("%w (waited %s)", ErrNotConfirmed, n.o.Confirm))
	})
}

// startMetrics answers Prometheus on the loopback address of the config.
func (n *node) startMetrics(c *config.Config) error {
	if !c.Metrics.IsValid() {
		return nil
	}
	s, err := metrics.Serve(c.Metrics, n.reporter.Metrics())
	if err != nil {
		return err
	}
	n.defers(s.Close)
	return nil
}

// startControl makes the socket, gives up the privileges that nothing needs after it,
// and answers commands from then on.
func (n *node) startControl(c *config.Config, fail context.CancelCauseFunc) error {
	srv, err := control.NewServer(n.o.Socket, n.handler(), n.log)
	if err != nil {
		return err
	}
	if n.reporter.sandbox, err = n.box.shut(c); err != nil {
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
