package hub

import (
	"sync"
	"time"

	"github.com/libertaria-project/l2tun/internal/base/guard"
	"github.com/libertaria-project/l2tun/internal/base/mailbox"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

const (
	// maxWaiting bounds the frames of one peer that wait for the hub: more than an
	// honest peer sends at once.
	maxWaiting = 64
	// maxWaitingAll bounds those of all peers, of up to 1.5 KB each.
	maxWaitingAll = 8192
)

// A Config is what a Hub is made of. Labels, Draw and Send are required.
type Config struct {
	Mode relay.Mode
	// Rate and Total bound what is forwarded, in bytes a second: of a source, and of
	// all together. 0 is the default of relay.NewMeter.
	Rate, Total int64

	Labels link.Labels
	// Draw returns a random label that is in use for nothing at this node.
	Draw func() relay.Label
	// Send sends a frame in the session with a peer; false: there is none. It must not
	// block, nor call the Hub, and copies the frame.
	Send func(to relay.DID, frame []byte) bool
	// AtHome, if set, says that a peer is at home here, and that it is no more: only
	// then its session may sleep. It must not block, nor call the Hub.
	AtHome func(did relay.DID, at bool)
	// Guard notes defects that frames meet; nil notes nothing.
	Guard *guard.Guard
}

// A Hub helps peers meet and forwards between them. Its methods are safe for
// concurrent use and never block, but for Close; those about one peer come in the
// order in which things happen to its session.
type Hub struct {
	c    Config
	box  *mailbox.Mailbox
	done chan struct{}

	mu    sync.Mutex
	peers map[relay.DID]*peer // with a session

	forwarder forwarder
	status    board

	// The rest belongs to the goroutine.
	machine *relay.Machine
	live    map[relay.DID]*peer // with a session, as the machine knows it
	table   table
	passing *wire.Meet // the frame whose event is handled, if it is MEET or MET
	frame   []byte     // memory of the frame that is sent
	closed  bool
}

// New starts a hub. Close ends it.
func New(c Config) *Hub {
	h := &Hub{c: c, box: mailbox.New(maxWaitingAll), done: make(chan struct{}), peers: make(map[relay.DID]*peer),
		live: make(map[relay.DID]*peer), machine: relay.New(relay.Config{Mode: c.Mode, Draw: c.Draw})}
	h.forwarder.init(c.Rate, c.Total)
	h.table.init(c.Labels, &h.forwarder)
	h.status.set(c.Mode, c.Rate, c.Total)
	go h.run()
	return h
}

// Configure changes for whom the node is a hub, and the rates of Config. It ends the
// circuits of those who may have none any more.
func (h *Hub) Configure(mode relay.Mode, rate, total int64) {
	h.forwarder.meter.Set(rate, total)
	h.status.set(mode, rate, total)
	h.box.Post(func(now time.Time) { h.do(now, h.machine.Allow(now, mode)) })
}

// Close ends all circuits without a frame, and waits until the goroutine has ended.
// Later calls do nothing.
func (h *Hub) Close() {
	h.box.Post(func(time.Time) { h.closed = true })
	<-h.done
}

// run owns the machine and its one timer. It alone reads the clock.
func (h *Hub) run() {
	defer close(h.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for !h.closed {
		select {
		case <-h.box.Wake():
		case <-timer.C:
		}
		now := time.Now()
		for _, call := range h.box.Take() {
			h.c.Guard.Do("hub", func() { call(now) })
		}
		pause := time.Duration(0)
		if !h.c.Guard.Do("hub", func() { h.do(now, h.machine.Tick(now)) }) {
			pause = time.Second // what is due may be due for ever
		}
		h.status.publish(h.machine.Summary())
		if next := h.machine.Deadline(); !next.IsZero() {
			timer.Reset(max(pause, next.Sub(now)))
		} else {
			timer.Stop()
		}
	}
	h.box.Close()
	h.table.clear()
}
