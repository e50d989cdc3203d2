package datapath

import (
	"net/netip"
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/packet/ip"
	"github.com/libertaria-project/l2tun/tun"
)

// A judge has the filter of this node, which is there from the first peer with rules
// on: its table of flows is a megabyte.
type judge struct {
	mu     sync.Mutex // one change at a time
	filter *filter.Filter
	self   []netip.Addr
	behind []netip.Prefix
}

// judged is what judges the packets of one peer.
type judged struct {
	filter *filter.Filter
	rules  *filter.Rules
}

// SetHost names this node's overlay addresses and the networks behind it, for the peers
// with rules.
func (d *Datapath) SetHost(self []netip.Addr, behind []netip.Prefix) {
	j := &d.judge
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.self, j.behind = self, behind; j.filter != nil {
		j.filter.SetHost(self, behind)
	}
}

// by is what judges by rules; nil for none.
func (j *judge) by(r *filter.Rules) *judged {
	if r == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.filter == nil {
		j.filter = filter.New(j.self, j.behind)
	}
	return &judged{j.filter, r}
}

// sent notes packets that leave for the peer, to which answers may come.
func (j *judged) sent(pkts []*tun.Packet) {
	now := second(time.Now())
	for _, pkt := range pkts {
		if p, ok := ip.Read(pkt.Data()); ok {
			j.filter.Sent(p, now)
		}
	}
}

// passes judges a packet of a peer with rules.
func (in *inbound) passes(d *Datapath, p ip.Packet) bool {
	v := in.judged.filter.Judge(in.judged.rules, p, in.second)
	if v == filter.Pass {
		return true
	}
	reason := dropOfFilter(v)
	in.live.traffic.Drop(reason, 1)
	protocol, port := filter.Target(p)
	d.notes.note(Note{Reason: reason, Peer: in.peer, Addr: p.Destination(), Protocol: protocol, Port: port}, time.Now())
	return false
}

// second is a time as the filter has it.
func second(now time.Time) int64 { return link.Stamp(now) / int64(time.Second) }

func dropOfFilter(v filter.Verdict) link.Drop {
	return link.DropFilterNotGranted + link.Drop(v-filter.NotGranted)
}
