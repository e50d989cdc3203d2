package node

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/filter"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/control"
	"github.com/libertaria-project/l2tun/internal/app/membership"
	"github.com/libertaria-project/l2tun/internal/app/policy"
	"github.com/libertaria-project/l2tun/internal/packet/datapath"
	"github.com/libertaria-project/l2tun/session"
)

// limits are what the peers may send to this node. The applier changes them; anybody reads.
type limits struct {
	log *slog.Logger
	me  did.DID
	of  atomic.Pointer[map[did.DID]*policy.Policy] // who is not in it may send everything

	strangers map[did.DID]bool // whom blocks are about and who are no peers; the applier's
}

// policy is that of a peer; nil: everything.
func (l *limits) policy(d did.DID) *policy.Policy {
	if all := l.of.Load(); all != nil {
		return (*all)[d]
	}
	return nil
}

// put puts what a config and the networks say into use, for the peers that have a session;
// some of these may be nil. A member of several networks is judged by the first of them.
func (l *limits) put(c *config.Config, p *party, sessions []*session.Session) {
	all := make(map[did.DID]*policy.Policy)
	only := c.Only.Rules()
	strangers := make(map[did.DID]bool)
	for peer, only := range only {
		all[peer] = policy.Static(only)
		if c.Peer(peer) == nil && !p.waits { // else members are still to come
			strangers[peer] = true
		}
		if strangers[peer] && !l.strangers[peer] { // once: members come and go
			l.log.Warn("an [[only]] block is about nobody who is a peer here", "did", peer.String())
		}
	}
	l.strangers = strangers
	grants := make(map[*membership.Network]*policy.Members)
	for d, n := range p.of {
		if grants[n] == nil {
			grants[n] = policy.MembersOf(n.View, l.me)
		}
		granted, err := grants[n].Policy(d, only[d])
		if err != nil {
			l.log.Error("nothing is granted to a member", "did", d.String(), "error", err)
		}
		all[d] = granted
	}
	for i, s := range sessions {
		if s != nil {
			s.Plane().(*datapath.Peer).SetRules(all[c.Peers[i].DID].Rules())
		}
	}
	l.of.Store(&all)
}

// alone are the addresses of prefixes.
func alone(prefixes []netip.Prefix) (all []netip.Addr) {
	for _, p := range prefixes {
		all = append(all, p.Addr())
	}
	return all
}

// reasons answer l2tun why.
type reasons struct{ peers peerCalls }

// Why implements control.Observer.
func (r reasons) Why(_ context.Context, peer, traffic, to string) (control.Why, error) {
	use := r.peers.use
	s, err := r.peers.session(peer)
	if err != nil {
		return control.Why{}, err
	}
	q := policy.Question{To: use.id.Addr()}
	if q.Traffic, err = filter.ParseOne(traffic); err != nil {
		return control.Why{}, refuse(http.StatusBadRequest, "%v", err)
	}
	if to != "" {
		if q.To, err = netip.ParseAddr(to); err != nil {
			return control.Why{}, refuse(http.StatusBadRequest, "%q is no address", to)
		}
	}
	q.Self = slices.Contains(alone(use.addresses(use.config.Load())), q.To)
	answer := policy.Answer{By: "this node neither has " + q.To.String() + " nor routes it: no [[route]] and no other peer does"}
	if use.data.Owners().May(s.Plane().(*datapath.Peer), q.To) {
		answer = use.limits.policy(s.DID()).Answer(q)
	}
	return control.Why{DID: s.DID().String(), Name: s.Name(), Traffic: q.Traffic.String(), To: q.To.String(), Allowed: answer.Allowed, By: answer.By}, nil
}
