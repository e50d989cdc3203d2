package hub

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libertaria-project/l2tun/internal/proto/relay"
)

// A drop is a reason for which the hub itself drops datagrams. The meter has others.
type drop uint8

const (
	wrongSource drop = iota // they did not come from the leg of the end that has the label
	noLeg                   // there is no path to the other end, or it carries no circuits
	queueFull               // the path to the other end took no more
	tooBig                  // larger than the path to the other end takes
	drops       = iota
)

var dropNames = [drops]string{"wrong_source", "no_leg", "queue_full", "too_big"}

// verdictNames are the meter's reasons.
var verdictNames = [...]string{relay.OverRate: "over_rate", relay.OverShare: "over_share", relay.OverTotal: "over_total"}

// A counter counts datagrams and their bytes, circuit headers included.
type counter struct{ datagrams, bytes atomic.Uint64 }

func (c *counter) add(datagrams, bytes int) {
	c.datagrams.Add(uint64(datagrams))
	c.bytes.Add(uint64(bytes))
}

func (c *counter) load() relay.Traffic {
	return relay.Traffic{Datagrams: c.datagrams.Load(), Bytes: c.bytes.Load()}
}

// A Status is a hub at one moment.
type Status struct {
	Mode        relay.Mode
	Rate, Total int64 // bytes a second, as configured
	Peers       int   // with a session that takes circuits
	Homes       int   // of them at home here
	Meetings    int   // under way
	Circuits    int

	Received relay.Traffic            // from the ends of circuits
	Sent     relay.Traffic            // to the other ends
	Dropped  map[string]relay.Traffic // by reason, all of DropReasons
	Counts   relay.Counts
	Ignored  uint64 // frames beyond those that may wait
}

// DropReasons are the reasons for which a hub drops datagrams.
func DropReasons() []string {
	return slices.Concat(dropNames[:], verdictNames[relay.OverRate:])
}

// Status returns what the hub does and has done.
func (h *Hub) Status() Status {
	s := h.status.load()
	f := &h.forwarder
	s.Received, s.Sent, s.Dropped = f.received.load(), f.sent.load(), make(map[string]relay.Traffic)
	for i, name := range dropNames {
		s.Dropped[name] = f.dropped[i].load()
	}
	for v := relay.OverRate; int(v) < len(verdictNames); v++ {
		s.Dropped[verdictNames[v]] = f.meter.Counted(v)
	}
	return s
}

// A board has the part of a Status that the goroutine and Configure write.
type board struct {
	mu      sync.Mutex
	s       Status
	ignored atomic.Uint64
}

// set notes what is configured.
func (b *board) set(mode relay.Mode, rate, total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.s.Mode, b.s.Rate, b.s.Total = mode, rate, total
}

// publish notes what the machine says.
func (b *board) publish(m relay.Summary) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.s.Peers, b.s.Homes, b.s.Meetings, b.s.Circuits, b.s.Counts = m.Peers, m.Homes, m.Meetings, m.Circuits, m.Counts
}

func (b *board) load() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.s
	s.Ignored = b.ignored.Load()
	return s
}
