package node

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libertaria-project/l2tun/internal/net/portmap"
	"github.com/libertaria-project/l2tun/routing"
)

// gatewayGap is the minimum interval between two looks for gateways because the
// host's network has changed.
const gatewayGap = time.Second

// portMapping has routers map the node's UDP port while the config asks for it
// (ADR-037). Its goroutine starts and closes the Mapper; applies of the config and the
// watcher wake it.
type portMapping struct {
	use    *applier
	config portmap.Config // of each Mapper

	wake   chan struct{} // one token: the config in use may be another
	moved  chan struct{} // one token: the host's network has changed
	mapper atomic.Pointer[portmap.Mapper]

	cancel context.CancelFunc
	done   chan struct{} // nil before start
}

// newPortMapping makes one that does nothing before start.
func newPortMapping(use *applier, each portmap.Config) *portMapping {
	p := &portMapping{use: use, config: each, wake: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
	use.onApplied(func() { token(p.wake) })
	return p
}

// start is for when the process has given up what it does not need: from then on
// routers are heard.
func (p *portMapping) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done = cancel, make(chan struct{})
	go func() {
		defer close(p.done)
		p.run(ctx)
	}()
}

// close gives all mappings back. It takes what a Mapper's Close takes.
func (p *portMapping) close() {
	if p.done != nil {
		p.cancel()
		<-p.done
	}
}

func (p *portMapping) run(ctx context.Context) {
	look := time.NewTimer(0)
	look.Stop()
	defer look.Stop()
	var looked time.Time
	defer p.follow(false)
	for {
		p.follow(p.use.config.Load().PortMapping)
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-p.moved:
			look.Reset(max(0, time.Until(looked.Add(gatewayGap))))
		case looked = <-look.C:
			if m := p.mapper.Load(); m != nil {
				m.NetworkChanged()
			}
		}
	}
}

// follow starts or closes the Mapper.
func (p *portMapping) follow(wanted bool) {
	m := p.mapper.Load()
	switch {
	case wanted && m == nil:
		p.mapper.Store(portmap.Start(p.config))
	case !wanted && m != nil:
		m.Close()
		p.mapper.Store(nil)
	}
}

// changed says that the host's network has changed, or that the host has slept. A nil
// one does nothing.
func (p *portMapping) changed() {
	if p != nil {
		token(p.moved)
	}
}

// gatewaysOf are those of the gateways through which a socket can be reached that
// listens at an address.
func gatewaysOf(listen netip.Addr, find func() []routing.Gateway) func() ([]portmap.Gateway, error) {
	return func() (all []portmap.Gateway, err error) {
		for _, g := range find() {
			if serves(listen, g.Local) {
				all = append(all, portmap.Gateway(g))
			}
		}
		return all, nil
	}
}

// serves says whether a socket that listens at an address receives packets to
// another. IPv6's unspecified address stands for both families.
func serves(listen, to netip.Addr) bool {
	if listen.IsUnspecified() {
		return listen.Is6() || to.Is4()
	}
	return listen.Unmap() == to
}

// candidates are the external addresses of mappings that are told to others: those
// of which the address is one at which a peer sees this node. What a router says
// alone may lead anywhere.
func (p *portMapping) candidates(seen []netip.Addr) (all []netip.AddrPort) {
	m := p.mapper.Load()
	if m == nil {
		return nil
	}
	for _, held := range m.Mappings() {
		if slices.Contains(seen, held.External.Addr()) {
			all = append(all, held.External)
		}
	}
	return all
}

// token gives a channel for one token its token.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// marking marks the sockets towards routers as all of the node's are, so that they
// take the way that its packets take. The privilege for it may be missing.
func marking(mark uint32) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		if mark == 0 {
			return nil
		}
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, int(mark)) })
	}
}
