package portmap

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/mapping"
)

// An event is something for the machine.
type event func(now time.Time) []mapping.Action

// A client executes the machine of one gateway. Its loop owns the machine, the
// socket and the service; others post events to it.
type client struct {
	cfg     *Config
	gateway Gateway
	machine *mapping.Machine

	events chan event
	checks chan struct{}
	stop   chan struct{} // closed by the Mapper: give everything back and end
	done   chan struct{}
	status atomic.Pointer[mapping.Status]

	ctx    context.Context // of what the loop has started
	cancel context.CancelFunc
	wg     sync.WaitGroup

	conn    *net.UDPConn // of the round; nil: none
	service *service     // that the last search has found
}

func startClient(cfg *Config, g Gateway) *client {
	c := &client{cfg: cfg, gateway: g, events: make(chan event), checks: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.machine = mapping.New(mapping.Config{Local: netip.AddrPortFrom(g.Local, cfg.Port), Nonce: nonce(cfg, g), Other: otherPort()})
	c.status.Store(new(mapping.Status))
	go c.run()
	return c
}

// nonce is always the same for a port and an address of this host at a router.
func nonce(cfg *Config, g Gateway) mapping.Nonce {
	h := hmac.New(sha256.New, cfg.Seed[:])
	fmt.Fprintf(h, "%v %v %d", g.Router, g.Local, cfg.Port)
	return mapping.Nonce(h.Sum(nil)[:12])
}

// otherPort is one of the dynamic ports (RFC 6335).
func otherPort() uint16 { return uint16(49152 + rand.IntN(1<<16-49152)) }

// check lets the loop ask whether the mapping is still there.
func (c *client) check() {
	select {
	case c.checks <- struct{}{}:
	default:
	}
}

// post hands an event to the loop, or drops it at the end.
func (c *client) post(e event) {
	select {
	case c.events <- e:
	case <-c.ctx.Done():
	}
}

func (c *client) run() {
	defer close(c.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := c.stop
	c.do(c.machine.Start(time.Now()))
	for c.machine.Status().Phase != mapping.Ended {
		c.arm(timer)
		select {
		case e := <-c.events: // of what the router sent
			if !c.cfg.Guard.Do("port mapping", func() { c.do(e(time.Now())) }) {
				c.status.Store(&mapping.Status{Phase: mapping.Ended})
				c.end()
				return
			}
		case <-c.checks:
			c.do(c.machine.Changed(time.Now()))
		case <-stop:
			stop = nil
			c.do(c.machine.Stop(time.Now()))
		case <-timer.C:
			c.do(c.machine.Tick(time.Now()))
		}
	}
	c.end()
}

// end waits for what the loop has started.
func (c *client) end() {
	c.cancel()
	c.hangUp()
	c.wg.Wait()
}

// arm sets the timer to the machine's deadline.
func (c *client) arm(timer *time.Timer) {
	timer.Stop()
	if d := c.machine.Deadline(); !d.IsZero() {
		timer.Reset(time.Until(d))
	}
}

// do performs actions in order, and what they bring about after them.
func (c *client) do(actions []mapping.Action) {
	told := false
	for len(actions) > 0 {
		a := actions[0]
		actions = append(actions[1:], c.perform(a)...)
		told = told || a.Op == mapping.Tell
	}
	now := c.machine.Status()
	if old := c.status.Swap(&now); *old != now {
		c.cfg.Log.Debug("port mapping", "router", c.gateway.Router, "phase", now.Phase, "protocol", now.Mapping.Protocol, "external", now.Mapping.External, "why", now.Why)
	}
	if told && c.cfg.Changed != nil {
		c.cfg.Changed()
	}
}

func (c *client) perform(a mapping.Action) []mapping.Action {
	switch a.Op {
	case mapping.Send:
		if err := c.send(a.Packet); err != nil {
			return c.machine.Unreachable(time.Now())
		}
	case mapping.Search:
		c.begin(c.search)
	case mapping.Map:
		s := c.service
		c.begin(func() { c.add(s, a.Port) })
	case mapping.Unmap:
		s := c.service
		c.begin(func() { c.remove(s, a.Port) })
	case mapping.Rest:
		c.hangUp()
	}
	return nil
}

// begin runs what may block. What it meets in answers of the router ends it, not the
// node.
func (c *client) begin(f func()) {
	c.wg.Go(func() { c.cfg.Guard.Do("port mapping", f) })
}
