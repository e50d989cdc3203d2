package membership

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/app/config"
	"github.com/libertaria-project/l2tun/internal/app/netstore"
	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/base/mailbox"
	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/proto/gossip"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/network"
)

const (
	maxWaiting = 1024             // calls that peers can cause
	saveSoon   = 10 * time.Second // what is shown and brings nothing about
	saveHeard  = time.Hour        // when the node was last in touch
)

// A running is a fetch or an answer that has not ended. Its end is told by another goroutine,
// and may come when there is a next one in its place.
type running struct{ cancel context.CancelFunc }

// ErrClosed: the owner has ended.
var ErrClosed = errors.New("membership: the node is stopping")

// Sessions are those of the node. Their calls may take as long as a session's loop.
type Sessions interface {
	// Say sends a frame in the session with a peer, if there is one. It must not block.
	Say(to documents.Peer, frame []byte)
	// Fetch asks a peer, as session.Manager does.
	Fetch(ctx context.Context, peer did.DID, asked wire.News, to documents.Taker) (wire.AnswerStatus, error)
	// Close ends the session with a peer that was removed.
	Close(peer did.DID)
}

// A Config is what an Owner is made of. It is not changed.
type Config struct {
	Self   did.DID
	Folder string // netstore.FolderOf
	// Static reports whether a DID is a peer of the config, which no network removes.
	Static func(did.DID) bool
	// Changed puts the members into use that Networks has by now. Called by the owner's
	// goroutine.
	Changed func()
	Log     *slog.Logger
	Guard   *guard.Guard
}

// An Owner owns the networks of a node. Its methods are safe for concurrent use.
type Owner struct {
	c         Config
	box       *mailbox.Mailbox
	published atomic.Pointer[[]*Network]

	ctx    context.Context // of fetches and answers
	cancel context.CancelFunc
	wg     sync.WaitGroup // the goroutine, and those
	done   chan struct{}

	// The rest belongs to the goroutine.
	sessions Sessions
	store    *netstore.Store
	local    []config.Network                // of the config; nil before the first
	kept     map[network.Hash]*network.State // in the folder, used or not
	nets     map[network.Hash]*held
	machine  *gossip.Machine
	fetches  map[gossip.ID]*running
	answers  map[gossip.Peer]*running
	asking   *asking   // the call of Asked that waits for the machine's answer
	saveAt   time.Time // the next look at what has changed without effect
	closed   bool
}

// Open reads the networks of a node. Start makes it live.
func Open(c Config) *Owner {
	o := &Owner{c: c, box: mailbox.New(maxWaiting), done: make(chan struct{}), kept: make(map[network.Hash]*network.State), nets: make(map[network.Hash]*held),
		fetches: make(map[gossip.ID]*running), answers: make(map[gossip.Peer]*running)}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	store, all, wrong := netstore.Open(c.Folder)
	o.store = store
	for _, err := range wrong {
		c.Log.Error("documents of a network cannot be used", "error", err)
	}
	for _, st := range all {
		o.kept[st.ID()] = st
	}
	o.machine = gossip.New(rules{o}, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	o.published.Store(new([]*Network))
	return o
}

// Start begins with the sessions of the node and the networks of its config, which are in
// use when it returns. What is called before waits.
func (o *Owner) Start(s Sessions, all []config.Network) {
	o.sessions = s
	o.wg.Go(o.run)
	_ = o.Configure(all) // it fails only for an owner that has been closed
}

// Close ends all that the owner has started, and waits. The sessions may be closed by then.
func (o *Owner) Close() {
	o.cancel()
	o.box.Post(func(time.Time) { o.closed = true })
	o.wg.Wait()
}

// Networks are those that the node is in, in the order of its config.
func (o *Owner) Networks() []*Network { return *o.published.Load() }

// run owns everything. It alone reads the clock.
func (o *Owner) run() {
	defer close(o.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wake := o.box.Wake(); !o.closed; {
		select {
		case <-wake:
		case <-timer.C:
		}
		now := time.Now()
		for _, call := range o.box.Take() {
			o.c.Guard.Do("networks", func() { call(now) })
		}
		pause := time.Duration(0)
		if !o.c.Guard.Do("networks", func() { o.tick(now) }) {
			pause = time.Second // what is due may be due for ever
		}
		if next := o.deadline(now); !next.IsZero() {
			timer.Reset(max(pause, next.Sub(now)))
		} else {
			timer.Stop()
		}
	}
	for _, h := range o.nets {
		if h.heard {
			o.save(time.Now(), h)
		}
	}
	for _, call := range o.box.Close() {
		o.c.Guard.Do("networks", func() { call(time.Now()) }) // whoever waits gets an answer
	}
}

func (o *Owner) tick(now time.Time) {
	o.do(now, o.machine.Tick(now))
	if o.saveAt.IsZero() || now.Before(o.saveAt) {
		return
	}
	o.saveAt = time.Time{}
	for _, h := range o.sorted() {
		if h.heard {
			o.save(now, h)
		}
	}
}

func (o *Owner) deadline(now time.Time) time.Time {
	at := o.machine.Deadline(now)
	if at.IsZero() || !o.saveAt.IsZero() && o.saveAt.Before(at) {
		return o.saveAt
	}
	return at
}

// later has the files looked at again.
func (o *Owner) later(now time.Time, d time.Duration) {
	if at := now.Add(d); o.saveAt.IsZero() || at.Before(o.saveAt) {
		o.saveAt = at
	}
}

// call runs f on the goroutine and waits for it.
func (o *Owner) call(f func(now time.Time) error) error {
	answer := make(chan error, 1)
	posted := o.box.Post(func(now time.Time) {
		err := errors.New("membership: internal error, recovered")
		defer func() { answer <- err }()
		if o.closed {
			err = ErrClosed
			return
		}
		err = f(now)
	})
	if !posted {
		return ErrClosed
	}
	return <-answer
}

// Configure makes the networks those of a config, and returns when they are in use. Not for
// whoever holds what Config.Changed waits for.
func (o *Owner) Configure(all []config.Network) error {
	return o.call(func(now time.Time) error {
		o.configure(now, all)
		return nil
	})
}

func (o *Owner) configure(now time.Time, all []config.Network) {
	if o.local != nil && slices.EqualFunc(o.local, all, same) {
		return
	}
	o.local = append([]config.Network{}, all...)
	wanted := make(map[network.Hash]bool)
	var opened []*held
	for i, n := range all {
		wanted[n.ID] = true
		h := o.nets[n.ID]
		if h == nil {
			h = o.open(n.ID)
			opened = append(opened, h)
		}
		h.local, h.place = n, i
	}
	for id := range o.nets {
		if !wanted[id] {
			delete(o.nets, id)
			o.do(now, o.machine.Leave(now, gossip.ID(id)))
		}
	}
	o.publish(now)
	for _, h := range opened {
		o.do(now, o.machine.Open(now, gossip.Held(h.state), o.hubsOf(h)))
	}
	o.c.Changed()
}

func same(a, b config.Network) bool {
	return a.ID == b.ID && a.Name == b.Name && slices.Equal(a.Contacts, b.Contacts) && slices.Equal(a.Accept, b.Accept)
}

// open begins with a network; of one that is new nothing is known but its id.
func (o *Owner) open(id network.Hash) *held {
	st := o.kept[id]
	if st == nil { // made or joined since the start
		var err error
		if st, err = o.store.Load(id); err != nil {
			o.c.Log.Error("documents of a network cannot be used", "error", err)
		}
		o.kept[id] = st
	}
	h := &held{state: st}
	o.nets[id] = h
	return h
}

// hubsOf are those that are asked before members are let in.
func (o *Owner) hubsOf(h *held) (hubs []gossip.Peer) {
	if v := h.state.View(); v.Head() != nil {
		for _, d := range v.Head().Hubs {
			if d != o.c.Self && v.IsHub(d) {
				hubs = append(hubs, d.Digest())
			}
		}
	}
	return hubs
}

// sorted are the networks in the order of the config.
func (o *Owner) sorted() []*held {
	all := make([]*held, 0, len(o.nets))
	for _, h := range o.nets {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *held) int {
		return cmp.Or(a.place-b.place, strings.Compare(a.state.ID().String(), b.state.ID().String()))
	})
	return all
}

// publish shows what is used now to everybody else.
func (o *Owner) publish(now time.Time) {
	all := make([]*Network, 0, len(o.nets))
	for _, h := range o.sorted() {
		all = append(all, h.published(now))
	}
	o.published.Store(&all)
}
