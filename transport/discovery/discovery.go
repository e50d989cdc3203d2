package discovery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/base/guard"
)

// A Method is how a question reaches all hosts of a link.
type Method string

const (
	Multicast Method = "multicast" // IPv6, link-local
	Broadcast Method = "broadcast" // IPv4
)

const (
	tick        = time.Second            // least time between two rounds
	startSpread = 100 * time.Millisecond // nodes that start together do not ask together
	scanShare   = 50                     // a scan that takes a second is followed by none for fifty
	rescanEvery = 2 * time.Minute        // the node says Changed when it knows of one
)

// A Peer is one that is configured. Wanted: it has no session.
type Peer struct {
	DID    did.DID
	Wanted bool
}

// A Config is what Start needs. It is not changed after.
type Config struct {
	Self    did.DID
	Listen  netip.AddrPort // where this node takes handshakes, as told to peers; may be unspecified
	Methods []Method       // at least one
	Mark    uint32         // SO_MARK of the sockets

	// Peers is ranged over at each round, by one goroutine: when somebody is to be asked
	// for, every two minutes, and within a second after Changed and Look. The order is
	// the same while they are the same.
	Peers iter.Seq[Peer]
	// Found is told of every question and answer of a peer, from any goroutine.
	// It must not block.
	Found func(Found)
	// Interfaces are asked for every two minutes and after Changed.
	Interfaces func() ([]Interface, error)
	Logger     *slog.Logger // nil: none
}

// A Discovery asks for the peers that are wanted and answers those that ask for us.
type Discovery struct {
	c        Config
	log      *slog.Logger
	gate     *gate
	guard    *guard.Guard
	book     atomic.Pointer[book]
	families []*family
	changed  atomic.Bool
	wake     chan struct{} // a round is wanted soon
	asks     asks          // the loop's
	want     []int32       // the loop's: see wanted
	fresh    fresh         // the loop's
	scanned  time.Time     // the loop's
	scanGap  time.Duration // to the next scan for a change at the soonest

	cancel  context.CancelFunc
	wg      sync.WaitGroup
	once    sync.Once
	closing error // of the sockets
}

// Start opens the sockets of the methods and begins. When only some of them can
// be opened, the others do without, and that is logged. The error, if none can,
// names all reasons.
func Start(c Config) (*Discovery, error) {
	if c.Self.IsZero() || c.Peers == nil || c.Found == nil || c.Interfaces == nil || c.Listen.Port() == 0 || len(c.Methods) == 0 {
		return nil, ErrConfig
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Discovery{c: c, log: c.Logger, gate: newGate(), guard: guard.New(c.Logger), wake: make(chan struct{}, 1)}
	if err := d.open(); err != nil {
		return nil, err
	}
	now := time.Now()
	d.wanted()
	d.rescan(now)
	d.fresh = nil // asks begin everywhere
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	for _, f := range d.families {
		d.wg.Go(func() { d.read(ctx, f, f.hear, d.heard) })
		d.wg.Go(func() { d.read(ctx, f, f.talk, d.told) })
	}
	d.wg.Go(func() { d.loop(ctx) })
	return d, nil
}

// open opens what can be opened.
func (d *Discovery) open() error {
	var errs []error
	for _, m := range slices.Compact(slices.Sorted(slices.Values(d.c.Methods))) {
		f, err := newFamily(m, d.c.Mark)
		if err != nil {
			errs = append(errs, fmt.Errorf("discovery: %s: %w", m, err))
			continue
		}
		d.families = append(d.families, f)
	}
	if len(d.families) == 0 {
		return errors.Join(errs...)
	}
	for _, err := range errs {
		d.log.Info("LAN discovery runs with one method less", "error", err)
	}
	return nil
}

// Changed says that addresses or interfaces of the host have changed: within a
// second everybody who is wanted is asked for where this host was not before. A nil
// Discovery does nothing.
func (d *Discovery) Changed() {
	if d != nil && !d.changed.Swap(true) { // else a round is on its way
		d.Look()
	}
}

// Look says that other peers may be wanted now: within a second they are asked
// for. A nil Discovery does nothing.
func (d *Discovery) Look() {
	if d != nil {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// Close closes the sockets and waits for every goroutine; Found is not called
// any more after it. It is idempotent.
func (d *Discovery) Close() error {
	d.once.Do(func() {
		d.cancel()
		for _, f := range d.families {
			d.closing = errors.Join(d.closing, f.close())
		}
	})
	d.wg.Wait()
	return d.closing
}

// loop asks. It ends with ctx. While nobody is to be asked it sleeps: a node that
// has its sessions wakes up for nothing here.
func (d *Discovery) loop(ctx context.Context) {
	timer := time.NewTimer(rand.N(startSpread))
	defer timer.Stop()
	var last time.Time // of the last round; zero: the first is to come
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			if !last.IsZero() {
				timer.Reset(time.Until(last.Add(tick)))
			}
		case <-timer.C:
			last = time.Now()
			timer.Reset(d.round(last).Sub(last))
		}
	}
}

// round asks who is to be asked, and returns when the next round is due if nobody
// says Look before.
func (d *Discovery) round(now time.Time) (next time.Time) {
	if since := now.Sub(d.scanned); d.changed.Load() && since >= d.scanGap || since >= rescanEvery {
		d.changed.Store(false)
		d.rescan(now)
	}
	wanted := d.wanted()
	due := d.asks.due(now, wanted)
	if len(due) > 0 {
		d.ask(due, nil)
	}
	if len(d.fresh) > 0 {
		if len(wanted) > 0 && len(due) < len(wanted) {
			d.ask(wanted[:min(len(wanted), maxAsks)], d.fresh)
		}
		d.fresh.age()
		d.Look()
	}
	next = d.scanned.Add(rescanEvery)
	if d.changed.Load() {
		next = d.scanned.Add(d.scanGap)
	}
	if asking, ok := d.asks.next(); ok && asking.Before(next) {
		next = asking
	}
	if soonest := now.Add(tick); next.Before(soonest) {
		next = soonest
	}
	return next
}

// wanted learns who the peers are now, and returns the places in the book of those
// without a session, in order. The slice is good until the next call.
func (d *Discovery) wanted() []int32 {
	if !d.current() {
		d.renew()
	}
	return d.want
}

// current notes who is wanted, and reports whether the peers are those of the book.
func (d *Discovery) current() bool {
	b, i := d.book.Load(), 0
	if b == nil {
		return false
	}
	d.want = d.want[:0]
	for p := range d.c.Peers {
		if i == maxPeers {
			break
		}
		if i == len(b.peers) || b.peers[i] != p.DID {
			return false
		}
		d.note(i, p)
		i++
	}
	return i == len(b.peers)
}

func (d *Discovery) note(place int, p Peer) {
	if p.Wanted {
		d.want = append(d.want, int32(place))
	}
}

// renew makes the book, and notes who is wanted.
func (d *Discovery) renew() {
	var all []did.DID
	d.want = d.want[:0]
	for p := range d.c.Peers {
		if len(all) == maxPeers {
			break
		}
		d.note(len(all), p)
		all = append(all, p.DID)
	}
	if before := d.book.Load(); before != nil {
		d.asks.move(before.peers, all)
	}
	d.book.Store(newBook(d.c.Self, all))
}

// rescan looks at the interfaces again.
func (d *Discovery) rescan(now time.Time) {
	began := time.Now()
	all, err := d.c.Interfaces()
	d.scanned, d.scanGap = now, scanShare*time.Since(began)
	if err != nil {
		d.log.Debug("interfaces not listed", "error", err)
		return
	}
	for _, f := range d.families {
		before := f.current()
		f.use(all, d.log)
		d.fresh.note(before, f.current())
	}
}

// ask sends questions for the peers at places in the book on every segment, or on those
// that are fresh.
func (d *Discovery) ask(places []int32, only fresh) {
	b := d.book.Load()
	peers := b.at(places)
	for _, f := range d.families {
		for _, s := range f.current() {
			if _, is := only[s]; only != nil && !is {
				continue
			}
			for _, q := range b.questions(s.source, d.portAt(s.source), peers) {
				if err := f.talk.write(q, s, f.everybody()); err != nil {
					d.log.Debug("question not sent", "method", f.method, "from", s.source.String(), "error", err)
				}
			}
		}
	}
}

// portAt is the port for who reaches us at an address; 0 if we do not listen there.
func (d *Discovery) portAt(at netip.Addr) uint16 {
	l := d.c.Listen.Addr()
	if l == at || l == netip.IPv6Unspecified() || l == netip.IPv4Unspecified() && at.Is4() {
		return d.c.Listen.Port()
	}
	return 0
}
