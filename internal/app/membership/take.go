package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/gossip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

// ErrNoNetwork: this node is not in it.
var ErrNoNetwork = errors.New("membership: this node is not in the network")

// A storeError says that documents could not be saved: nothing of them is used.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }

// taken is a document that a state has taken, and what it has brought about.
type taken struct {
	doc []byte // nil: a person's decision about documents that are here
	network.Change
}

// take takes documents in this order, all or none of them.
func (o *Owner) take(now time.Time, h *held, by string, docs ...[]byte) (c network.Change, err error) {
	next := h.state.Clone()
	var all []taken
	for _, doc := range docs {
		if c, err = next.Take(doc, now); err != nil {
			if len(all) == 0 {
				o.refused(now, h, next, err)
			}
			return c, err
		}
		if !c.Known {
			all = append(all, taken{doc, c})
		}
	}
	if len(all) == 0 {
		o.hold(h, next) // when it was last heard of the network
		return c, nil
	}
	return c, o.changed(now, h, next, by, all...)
}

// refused keeps what a refusal has to show: a fork, until the next head ends it.
func (o *Owner) refused(now time.Time, h *held, next *network.State, err error) {
	o.hold(h, next)
	if r, ok := errors.AsType[*network.Refusal](err); ok && (r.Code == network.NetworkFork || r.Code == network.RestoredAdmin || r.Code == network.RosterFork) {
		h.heard = true
		o.later(now, saveSoon)
		o.publish(now)
	}
}

// changed saves what a network is next, and then puts it into use: what cannot be saved has
// not been taken.
func (o *Owner) changed(now time.Time, h *held, next *network.State, by string, all ...taken) error {
	if err := o.store.Save(next); err != nil {
		o.c.Log.Error("documents of a network cannot be stored", "network", h.local.Name, "error", err)
		return storeError{err}
	}
	o.hold(h, next)
	h.heard = false
	urgent := false
	for _, t := range all {
		if urgent = urgent || len(t.Removed) > 0; t.doc != nil {
			o.note(h, t.doc, t.Change, by, now)
		}
	}
	o.publish(now)
	o.c.Changed()
	o.do(now, o.machine.Changed(now, gossip.Held(h.state), urgent))
	return nil
}

func (o *Owner) hold(h *held, next *network.State) {
	h.state, o.kept[next.ID()] = next, next
}

// save writes down what brings nothing about, such as when the network was last heard of.
func (o *Owner) save(now time.Time, h *held) {
	if err := o.store.Save(h.state); err != nil {
		o.c.Log.Error("documents of a network cannot be stored", "network", h.local.Name, "error", err)
		o.later(now, saveHeard)
		return
	}
	h.heard = false
}

// Change drafts documents and takes them. draft is called on the owner's goroutine, with the
// state as it is, which it must not keep; what it returns is taken in this order, all or
// nothing. Change returns when they are in use here, and others have been told. After an
// error nothing has changed, and nothing will.
func (o *Owner) Change(id network.Hash, draft func(st *network.State, now time.Time) ([][]byte, error)) error {
	return o.call(func(now time.Time) error {
		h := o.nets[id]
		if h == nil {
			return ErrNoNetwork
		}
		docs, err := draft(h.state, now)
		if err == nil && len(docs) > 0 {
			_, err = o.take(now, h, "here", docs...)
		}
		return err
	})
}

// Trust is State.Trust, because a person has compared the hash.
func (o *Owner) Trust(id network.Hash, doc []byte, hash network.Hash) error {
	return o.call(func(now time.Time) error {
		h := o.nets[id]
		if h == nil {
			return ErrNoNetwork
		}
		next := h.state.Clone()
		c, err := next.Trust(doc, hash)
		if err != nil || c.Known {
			return err
		}
		return o.changed(now, h, next, "trust", taken{doc, c})
	})
}

// Confirm puts the removals of one signer into effect that wait for a person.
func (o *Owner) Confirm(id network.Hash, by did.DID) error {
	return o.call(func(now time.Time) error {
		h := o.nets[id]
		if h == nil {
			return ErrNoNetwork
		}
		next := h.state.Clone()
		c := next.Confirm(by, now)
		if c.Known {
			return fmt.Errorf("no removals of %v wait", by)
		}
		return o.changed(now, h, next, "here", taken{nil, c})
	})
}

// fetch runs one fetch beside the goroutine.
func (o *Owner) fetch(a gossip.Action) {
	ctx, cancel := context.WithCancel(o.ctx)
	this := &running{cancel}
	o.fetches[a.Network] = this
	t := &taker{o: o, from: a.Peer, id: a.Network, result: gossip.Same}
	o.wg.Go(func() {
		defer cancel()
		status, err := o.sessions.Fetch(ctx, did.FromDigest(a.Peer), a.News, t)
		if ctx.Err() != nil {
			return // it was cancelled: nobody waits for the result
		}
		r := resultOf(status, err, t.result)
		if err != nil {
			o.c.Log.Debug("documents could not be fetched", "from", did.FromDigest(a.Peer).Short(), "error", err)
		}
		o.box.Post(func(now time.Time) {
			if o.fetches[a.Network] != this {
				return // another one has begun since
			}
			delete(o.fetches, a.Network)
			o.do(now, o.machine.Fetched(now, a.Peer, a.Network, r))
		})
	})
}

// resultOf is what a fetch as a whole tells of its source.
func resultOf(status wire.AnswerStatus, err error, documentsSay gossip.Result) gossip.Result {
	switch {
	case errors.Is(err, documents.ErrMalformed) || documentsSay == gossip.Bad:
		return gossip.Bad
	case err != nil || documentsSay == gossip.Failed || status == wire.AnswerNone:
		return gossip.Failed
	case status == wire.AnswerBusy:
		return gossip.Busy
	case status == wire.AnswerMore && documentsSay == gossip.Took:
		return gossip.More
	}
	return documentsSay
}

// A taker takes what a fetch brings. It belongs to the goroutine of the fetch.
type taker struct {
	o      *Owner
	from   gossip.Peer
	id     gossip.ID
	result gossip.Result // of all documents so far
}

var _ documents.Taker = (*taker)(nil)

// Piece implements documents.Taker.
func (t *taker) Piece() {
	t.o.box.PostBounded(func(now time.Time) { t.o.machine.Progress(now, t.from, t.id) })
}

// Document implements documents.Taker. A document that no honest node passes on ends the
// fetch.
func (t *taker) Document(doc []byte) error {
	return t.o.call(func(now time.Time) error {
		h := t.o.nets[network.Hash(t.id)]
		if h == nil {
			return ErrNoNetwork
		}
		c, err := t.o.take(now, h, did.FromDigest(t.from).String(), doc)
		r := gossip.Weigh(c, err)
		if _, full := errors.AsType[storeError](err); full {
			r = gossip.Failed // not the source's fault, and not to be tried at once
		}
		switch {
		case r == gossip.Bad || r == gossip.Failed:
			t.result = r
			return err
		case r == gossip.Took:
			t.result = r
		}
		return nil
	})
}
