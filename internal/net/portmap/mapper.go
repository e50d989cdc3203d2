package portmap

import (
	"cmp"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/proto/mapping"
)

// maxGateways bounds the routers that are asked.
const maxGateways = 4

// A Gateway is a router to the Internet.
type Gateway struct {
	Router netip.Addr // its address in the network, with a zone if it is link-local
	Local  netip.Addr // this host's address in it; with IPv6 the one that is to be reached
}

// Config is what a Mapper is made with. Gateways and Log are needed.
type Config struct {
	Port uint16 // of the UDP socket that is to be reached

	// Gateways lists the routers of the default routes. It is called by the Mapper's
	// goroutine.
	Gateways func() ([]Gateway, error)

	// Seed is a secret of the node, the same after a restart: what PCP's mappings are
	// known by is drawn from it, and a router gives them to nobody else until their
	// lease ends. Zero: a random one.
	Seed [32]byte

	// Control sets options of each socket before it is bound; nil: none.
	Control func(network, address string, c syscall.RawConn) error

	// Changed is called when Mappings has changed; nil: nobody. It must not block and
	// must not call Close.
	Changed func()

	Log   *slog.Logger
	Guard *guard.Guard // of defects met in answers; nil: they are not logged
}

// Status is what is known of one gateway.
type Status struct {
	Gateway Gateway
	mapping.Status
}

// A Mapper keeps mappings of one port at all gateways.
type Mapper struct {
	cfg     Config
	changed chan struct{} // the network has changed
	closing chan struct{}
	once    sync.Once
	done    chan struct{}

	mu      sync.Mutex
	clients map[Gateway]*client
}

// Start begins to ask.
func Start(cfg Config) *Mapper {
	if cfg.Seed == [32]byte{} {
		rand.Read(cfg.Seed[:]) // never fails
	}
	m := &Mapper{cfg: cfg, changed: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}), clients: make(map[Gateway]*client)}
	go m.run()
	return m
}

// NetworkChanged says that addresses or routes may be others.
func (m *Mapper) NetworkChanged() {
	select {
	case m.changed <- struct{}{}:
	default: // it will look
	}
}

// Mappings are those in force, as the routers say.
func (m *Mapper) Mappings() (all []mapping.Mapping) {
	for _, s := range m.Status() {
		if s.Phase == mapping.Held {
			all = append(all, s.Mapping)
		}
	}
	return all
}

// Status returns a snapshot, by gateway.
func (m *Mapper) Status() (all []Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for g, c := range m.clients {
		all = append(all, Status{g, *c.status.Load()})
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(a.Gateway.Router.Compare(b.Gateway.Router), a.Gateway.Local.Compare(b.Gateway.Local))
	})
	return all
}

// Close gives all mappings back.
func (m *Mapper) Close() {
	m.once.Do(func() { close(m.closing) })
	<-m.done
}

func (m *Mapper) run() {
	defer close(m.done)
	m.look()
	for {
		select {
		case <-m.changed:
			m.look()
		case <-m.closing:
			m.keep(nil)
			return
		}
	}
}

// look asks the gateways that are there now.
func (m *Mapper) look() {
	all, err := m.cfg.Gateways()
	if err != nil {
		m.cfg.Log.Debug("no port mapping: gateways cannot be listed", "err", err)
		return
	}
	all = slices.DeleteFunc(slices.Clone(all), func(g Gateway) bool {
		return !g.Router.IsValid() || g.Router.IsUnspecified() || g.Router.Is4() != g.Local.Is4() || !g.Local.IsValid()
	})
	m.keep(all[:min(len(all), maxGateways)])
}

// keep starts clients of gateways that are new, ends those of others, and lets the
// rest see whether they still have what they had.
func (m *Mapper) keep(gateways []Gateway) {
	var gone []*client
	m.mu.Lock()
	for g, c := range m.clients {
		if !slices.Contains(gateways, g) {
			delete(m.clients, g)
			gone = append(gone, c)
			close(c.stop)
		}
	}
	for _, g := range gateways {
		if c, there := m.clients[g]; there {
			c.check()
		} else {
			m.clients[g] = startClient(&m.cfg, g)
		}
	}
	m.mu.Unlock()
	for _, c := range gone {
		<-c.done
	}
}
