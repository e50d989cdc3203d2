package membership

import (
	"context"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/gossip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

var _ documents.Owner = (*Owner)(nil)

// Up implements documents.Owner.
func (o *Owner) Up(peer documents.Peer, capable bool) {
	o.box.Post(func(now time.Time) { o.do(now, o.machine.Up(now, peer, capable)) })
}

// Ended implements documents.Owner.
func (o *Owner) Ended(peer documents.Peer) {
	o.box.Post(func(now time.Time) {
		if x := o.answers[peer]; x != nil {
			x.cancel()
			delete(o.answers, peer)
		}
		o.do(now, o.machine.Down(now, peer))
	})
}

// Heard implements documents.Owner.
func (o *Owner) Heard(peer documents.Peer, n wire.News) {
	o.box.PostBounded(func(now time.Time) {
		if h := o.nets[network.Hash(n.Network)]; h != nil && (rules{o}).Member(n.Network, peer) {
			h.state.Heard(now)
			h.heard = true
			o.later(now, saveHeard)
		}
		o.do(now, o.machine.Heard(now, peer, n))
	})
}

// Asked implements documents.Owner.
func (o *Owner) Asked(peer documents.Peer, asked wire.News) (context.Context, documents.Answer) {
	a := &asking{asked: asked, ctx: o.ctx, answer: documents.Answer{Status: wire.AnswerBusy}}
	done := make(chan struct{})
	posted := o.box.PostBounded(func(now time.Time) {
		defer close(done) // whatever is met
		if o.closed {
			return
		}
		o.asking = a
		defer func() { o.asking = nil }()
		o.do(now, o.machine.Asked(now, peer, asked))
	})
	if posted {
		<-done
	}
	return a.ctx, a.answer
}

// asking is a call of Asked, which the machine answers at once.
type asking struct {
	asked  wire.News
	ctx    context.Context
	answer documents.Answer
}

// do performs what the machine has decided.
func (o *Owner) do(now time.Time, actions []gossip.Action) {
	for _, a := range actions {
		switch a.Op {
		case gossip.Say:
			o.sessions.Say(a.Peer, a.News.Append(nil, wire.FrameNews))
		case gossip.Fetch:
			o.fetch(a)
		case gossip.Cancel:
			if x := o.fetches[a.Network]; x != nil {
				x.cancel()
				delete(o.fetches, a.Network)
			}
		case gossip.Answer:
			o.answer(a)
		case gossip.Stop:
			if x := o.answers[a.Peer]; x != nil {
				x.cancel()
				delete(o.answers, a.Peer)
			}
		case gossip.Close:
			o.c.Log.Info("a removed member is closed", "peer", did.FromDigest(a.Peer).String())
			o.sessions.Close(did.FromDigest(a.Peer))
		case gossip.Admit:
			o.admit(now, network.Hash(a.Network))
		}
	}
}

// answer gives what a peer lacks, of what is saved.
func (o *Owner) answer(a gossip.Action) {
	x := o.asking
	x.answer.Status = a.Status
	if a.Status != wire.AnswerAll {
		return
	}
	ctx, cancel := context.WithCancel(o.ctx)
	this := &running{cancel}
	x.ctx, o.answers[a.Peer] = ctx, this
	x.answer.Docs = gossip.Lacking(o.nets[network.Hash(a.Network)].state, x.asked)
	x.answer.Ended = func(all bool) {
		cancel()
		o.box.Post(func(now time.Time) {
			if o.answers[a.Peer] != this {
				return // it was stopped: the machine counts it no more
			}
			delete(o.answers, a.Peer)
			o.do(now, o.machine.Answered(now, a.Peer, a.News, all))
		})
	}
}

// admit lets members in: from now on the node dials and answers them.
func (o *Owner) admit(now time.Time, id network.Hash) {
	h := o.nets[id]
	if h == nil {
		return
	}
	h.admitted = true
	o.publish(now)
	o.c.Changed()
}

// rules are who is who, by what is saved.
type rules struct{ o *Owner }

var _ gossip.Rules = rules{}

// Member implements gossip.Rules.
func (r rules) Member(id gossip.ID, p gossip.Peer) bool {
	h := r.o.nets[network.Hash(id)]
	if h == nil {
		return false
	}
	n := Network{Network: h.local, View: h.state.View()}
	return n.member(r.o.c.Self, did.FromDigest(p))
}

// Removed implements gossip.Rules. Who is a member of another network stays.
func (r rules) Removed(p gossip.Peer) bool {
	d := did.FromDigest(p)
	removed := false
	for id, h := range r.o.nets {
		if r.Member(gossip.ID(id), p) {
			return false
		}
		_, gone := h.state.View().Removed(d)
		removed = removed || gone
	}
	return removed && !r.o.c.Static(d)
}
