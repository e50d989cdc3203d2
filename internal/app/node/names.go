package node

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/names"
)

const (
	// maxNames is how many names are made known on the host: /etc/hosts is read from its
	// beginning for each look-up.
	maxNames = 1000
	// undoTime is how long the end of the node waits until the host's settings are undone.
	undoTime = 5 * time.Second
)

// A naming answers for the names of peers: a table of them, the responder, and the orders
// for the program that makes them known on the host (docs/node.md 8.9). It is safe for
// concurrent use.
type naming struct {
	use    *applier
	log    *slog.Logger
	mode   config.DNS
	absent string // why no program makes them known, until one does
	apart  bool   // none is meant to
	dns    *responder

	mu      sync.Mutex
	table   []names.Host // that the host is told
	zones   []string
	shown   control.Names // but for what follows
	kept    bool          // a program is there
	report  control.NameReport
	changed chan struct{} // closed and made anew when an order is to be given
	ending  bool
	free    chan struct{} // closed when no program is there
}

func newNaming(use *applier, mode config.DNS, o Names, log *slog.Logger) *naming {
	free := make(chan struct{})
	close(free)
	if o.Absent == "" {
		o.Absent = "the process that does it has not begun"
	}
	return &naming{use: use, log: log, mode: mode, absent: o.Absent, apart: o.Apart, dns: new(responder), changed: make(chan struct{}), free: free}
}

// refresh makes the table of what the config in use and the other sources say.
func (n *naming) refresh() {
	c := n.use.config.Load()
	if c == nil || n.mode == config.DNSOff {
		return
	}
	base := c // what the file says
	if b := n.use.base.Load(); b != nil {
		base = b
	}
	members, own := n.memberNames(c)
	label := hostLabel()
	if own != "" {
		label = "" // the network has named this node
	}
	all, hostName, leftOut := configNames(base, n.use.addresses(c), label)
	all = append(all, members...)
	networks := coverable(c)
	prefixes := slices.Clone(networks)
	for _, h := range all {
		for _, a := range h.Addrs {
			if !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(a) }) {
				prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
			}
		}
	}
	table, clashes := names.NewTable(all, prefixes)
	n.dns.set(table)
	known := table.Known()
	shown := control.Names{Own: cmp.Or(own, hostName), Known: len(known), LeftOut: leftOut}
	for _, x := range clashes {
		if oneHost(all, x.Name) {
			continue
		}
		shown.Clashes = append(shown.Clashes, control.NameClash{Name: x.Name, Networks: x.Networks})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.shown, n.table, n.zones = shown, slices.Clone(known[:min(len(known), maxNames)]), names.Zones(prefixes)
	n.signal()
}

// memberNames are the names that networks give, and the first that one gives to this node.
// A member has the addresses that are in use for it.
func (n *naming) memberNames(c *config.Config) (all []names.Host, own string) {
	if n.use.networks == nil {
		return nil, ""
	}
	peers, ours := byDID(c), single(alonePrefixes(n.use.addresses(c)))
	for _, net := range n.use.networks.Networks() {
		for m := range net.View.Members() {
			var addrs []netip.Addr
			if p := peers.find(m.DID); p != nil {
				addrs = single(p.AllowedIPs)
			} else if m.DID == n.use.id {
				addrs, own = ours, cmp.Or(own, m.Name)
			}
			if m.Name != "" && len(addrs) > 0 {
				all = append(all, names.Host{Name: m.Name, Network: net.Name, Addrs: addrs})
			}
		}
	}
	return all, own
}

// oneHost reports whether all that have a name are one host: its own address, which its
// DID gives, is the same.
func oneHost(all []names.Host, name string) bool {
	var first []netip.Addr
	for _, h := range all {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		if first == nil {
			first = h.Addrs
		}
		if !slices.ContainsFunc(h.Addrs, func(a netip.Addr) bool { return did.OverlayPrefix().Contains(a) && slices.Contains(first, a) }) {
			return false
		}
	}
	return true
}

// signal has the next order given. The caller holds mu.
func (n *naming) signal() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// order is the one of this moment; next is closed when there is another.
func (n *naming) order() (o control.NameOrder, next <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	o = control.NameOrder{End: n.ending, Mode: string(n.mode), Interface: n.use.dev.Name(), Index: n.use.dev.Index(), Zones: n.zones}
	o.Server, o.NoServer = n.dns.address()
	for _, h := range n.table {
		for _, a := range h.Addrs {
			o.Hosts = append(o.Hosts, control.NamedAddr{Name: h.Name, Address: a.String()})
		}
	}
	return o, n.changed
}

// KeepNames implements control.Namer.
func (n *naming) KeepNames(ctx context.Context, give func(control.NameOrder) error, reports <-chan control.NameReport) error {
	if !n.begin() {
		return refuse(http.StatusConflict, "%v", control.ErrNamesKept)
	}
	defer n.end()
	for {
		o, next := n.order()
		if err := give(o); err != nil {
			return nil // it has gone
		}
		if o.End {
			next = nil
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case r, open := <-reports:
				if !open {
					return nil
				}
				n.note(r)
			case <-next:
				waiting = false
			}
		}
	}
}

func (n *naming) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.kept || n.ending {
		return false
	}
	n.kept, n.free = true, make(chan struct{})
	return true
}

func (n *naming) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.kept, n.report, n.absent = false, control.NameReport{PutBack: n.report.PutBack}, "the process that does it has ended"
	close(n.free)
	if !n.ending {
		n.log.Warn("names of peers are not known on this host any more", "reason", n.absent)
	}
}

func (n *naming) note(r control.NameReport) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.report = r
}

// close has the host's settings undone, and waits for that.
func (n *naming) close() {
	n.mu.Lock()
	n.ending = true
	n.signal()
	free := n.free
	n.mu.Unlock()
	select {
	case <-free:
	case <-time.After(undoTime):
		n.log.Warn("the names of peers may still be known on this host: l2tun down takes them out")
	}
}

// status is what status says of it.
func (n *naming) status() control.Names {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.shown
	s.Mode, s.By, s.Reason, s.PutBack = string(n.mode), n.report.By, n.report.Reason, n.report.PutBack
	if !n.kept && n.mode != config.DNSOff {
		s.Reason, s.Apart = n.absent, n.apart
	}
	s.Server, _ = n.dns.address()
	s.ServedBy = n.dns.servedBy(n.use.dev.Name())
	return s
}

// configNames are the names that a config gives, the node's own among them: that of the
// host, unless a peer has it. leftOut are names of peers that are no names of hosts, or
// another peer's but for the case of letters.
func configNames(c *config.Config, own []netip.Prefix, host string) (all []names.Host, ownName string, leftOut []string) {
	taken := make(map[string]bool, len(c.Peers))
	for i := range c.Peers {
		p := &c.Peers[i]
		name := strings.ToLower(p.Name)
		switch {
		case name == "":
			continue
		case names.CheckName(name) != nil || taken[name]:
			leftOut = append(leftOut, p.Name)
			continue
		}
		taken[name] = true
		all = append(all, names.Host{Name: name, Addrs: single(p.AllowedIPs)})
	}
	if names.CheckName(host) == nil && !taken[host] {
		ownName = host
		all = append(all, names.Host{Name: host, Addrs: single(alonePrefixes(own))})
	}
	return all, ownName, leftOut
}

// alonePrefixes are those of the addresses alone.
func alonePrefixes(all []netip.Prefix) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	return out
}

// single are the addresses among prefixes, IPv4 first.
func single(prefixes []netip.Prefix) (all []netip.Addr) {
	for _, p := range prefixes {
		if p.IsSingleIP() {
			all = append(all, p.Addr())
		}
	}
	slices.SortStableFunc(all, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return all
}

// hostLabel is this host's name without its domain; empty for one that is none.
func hostLabel() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	label, _, _ := strings.Cut(strings.ToLower(name), ".")
	if label == "localhost" {
		return ""
	}
	return label
}

var _ control.Namer = (*naming)(nil)
