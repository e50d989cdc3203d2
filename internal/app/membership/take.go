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

// take takes one document, and has it used: saved, shown, applied, and then spread.
func (o *Owner) take(now time.Time, h *held, doc []byte, by string) (network.Change, error) {
	c, err := h.state.Take(doc, now)
	if err != nil || c.Known {
		return c, err
	}
	o.note(h, doc, c, by, now)
	h.unsaved = true
	return c, o.changed(now, h, c.Removed)
}

// changed saves a network and puts it into use.
func (o *Owner) changed(now time.Time, h *held, removed []did.DID) error {
	h.removed = append(h.removed, removed...)
	if err := o.save(h); err != nil {
		o.later(now, saveAgain)
		return err
	}
	urgent := len(h.removed) > 0
	h.removed = nil
	o.publish(now)
	o.c.Changed()
	o.do(now, o.machine.Changed(now, gossip.Held(h.state), urgent))
	return nil
}

func (o *Owner) save(h *held) error {
	if err := o.store.Save(h.state); err != nil {
		h.unsaved = true
		o.c.Log.Error("documents of a network cannot be stored", "network", h.local.Name, "error", err)
		return err
	}
	h.unsaved, h.heard = false, false
	return nil
}

// Change drafts documents and takes them. draft is called on the owner's goroutine, with the
// state as it is, which it must not keep; what it returns is taken in this order, until one
// is refused. Change returns when they are in use here, and others have been told.
func (o *Owner) Change(id network.Hash, draft func(st *network.State, now time.Time) ([][]byte, error)) error {
	return o.call(func(now time.Time) error {
		h := o.nets[id]
		if h == nil {
			return ErrNoNetwork
		}
		docs, err := draft(h.state, now)
		if err != nil {
			return err
		}
		for _, doc := range docs {
			if _, err := o.take(now, h, doc, "here"); err != nil {
				return err
			}
		}
		return nil
	})
}

// Trust is State.Trust, because a person has compared the hash.
func (o *Owner) Trust(id network.Hash, doc []byte, hash network.Hash) error {
	return o.call(func(now time.Time) error {
		h := o.nets[id]
		if h == nil {
			return ErrNoNetwork
		}
		c, err := h.state.Trust(doc, hash)
		if err != nil || c.Known {
			return err
		}
		o.note(h, doc, c, "trust", now)
		return o.changed(now, h, c.Removed)
	})
}

// Confirm puts the removals of one signer into effect that wait for a person.
func (o *Owner) Confirm(id network.Hash, by did.DID) error {
	return o.call(func(now time.Time) error {
		h := o.nets[id]
		if h == nil {
			return ErrNoNetwork
		}
		c := h.state.Confirm(by, now)
		if c.Known {
			return fmt.Errorf("no removals of %v wait", by)
		}
		return o.changed(now, h, c.Removed)
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
		c, err := t.o.take(now, h, doc, did.FromDigest(t.from).String())
		r := gossip.Weigh(c, err)
		if h.unsaved {
			r = gossip.Failed // the disk is full: not the source's fault, and not to be tried at once
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
