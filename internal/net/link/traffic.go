package link

import (
	"errors"
	"sync/atomic"
	"time"
)

// Reasons of Path.Send.
var (
	ErrQueueFull = errors.New("link: the path's queue is full")
	ErrTooBig    = errors.New("link: record too big for the path")
	ErrClosed    = errors.New("link: the path is closed")
	// ErrOff is Dial's for a link that is switched off.
	ErrOff = errors.New("link: switched off")
)

// A Drop is a reason for which a packet or record was dropped.
type Drop uint8

const (
	DropBadSource      Drop = iota // the peer does not own the packet's source
	DropReplayed                   // number seen before or older than the window
	DropForged                     // record did not open
	DropMalformed                  // plaintext that is neither packet nor frame
	DropQueueFull                  // waiting packets beyond bytes or count
	DropQueueAge                   // waited too long
	DropCarrier                    // the carrier's own queue was full or too old
	DropTooBig                     // bigger than the path can carry in two records
	DropReassembly                 // half of a packet never came
	DropEarly                      // held records beyond the bound
	DropDevice                     // the TUN device refused it
	DropLimit                      // the epoch's key limit is reached
	DropNoRoute                    // no peer owns the destination
	DropUnknown                    // record id of no epoch
	DropBadDestination             // not this node's, nor routed by it, nor another peer's
	DropFault                      // handling it failed: a defect of this program

	// Those of package filter, whose words follow "filter_".
	DropFilterNotGranted  // nothing grants it
	DropFilterDestination // to an address that the peer may not reach at all
	DropFilterScan        // TCP of no connection
	DropFilterReply       // an ICMP error about nothing that was sent
	DropFilterLink        // ICMP that is for one link
	DropFilterFragment    // its first fragment has not passed
	DropFilterMalformed   // cut short, or with too many extension headers
	numDrops
)

var dropNames = [numDrops]string{"bad_source", "replayed", "forged", "malformed", "queue_full", "queue_age",
	"carrier", "too_big", "reassembly", "early", "device", "limit", "no_route", "unknown_id", "bad_destination", "fault",
	"filter_not_granted", "filter_destination", "filter_scan", "filter_reply", "filter_link_message", "filter_fragment", "filter_malformed"}

func (d Drop) String() string { return dropNames[d] }

// OfFilter reports whether the rules of a peer are the reason.
func (d Drop) OfFilter() bool { return d >= DropFilterNotGranted && d <= DropFilterMalformed }

// Traffic counts what a plane moved, inner bytes and packets, see Sent and Received.
type Traffic struct {
	LastHeard, LastSent atomic.Int64 // Stamp of the last record opened and packet sealed
	Queued              atomic.Int64 // packets that wait for a path
	WideSent            Widest       // records of packets on the path in use
	WatchIn             atomic.Bool  // the session wants Sink.Came at the next packet of the peer; the plane clears it
	Watch               atomic.Bool  // the session wants Sink.Sent at the next send; the plane clears it
	from                atomic.Pointer[heardOn]
	widest              [numKinds]Widest // see Heard
	drops               [numDrops]atomic.Uint64
	carried             [numKinds]moved
}

type heardOn struct{ path Path }

// Hear notes that records were opened on p. It reports whether the ones before
// came by another path.
func (t *Traffic) Hear(p Path, now time.Time) (moved bool) {
	t.LastHeard.Store(Stamp(now))
	if f := t.from.Load(); f != nil && f.path == p {
		return false
	}
	t.from.Store(&heardOn{p})
	return true
}

// HeardOn is when records were last opened on p; the zero time if the newest
// came by another path.
func (t *Traffic) HeardOn(p Path) time.Time {
	if f := t.from.Load(); f != nil && f.path == p {
		return Time(t.LastHeard.Load())
	}
	return time.Time{}
}

// Drop counts n drops for a reason.
func (t *Traffic) Drop(d Drop, n int) { t.drops[d].Add(uint64(n)) }

// Drops returns the counters that are not zero, by name.
func (t *Traffic) Drops() map[string]uint64 {
	m := make(map[string]uint64)
	for i := range t.drops {
		if n := t.drops[i].Load(); n > 0 {
			m[Drop(i).String()] = n
		}
	}
	return m
}

// QueueLimits bound what waits for a path. Zero holds nothing.
type QueueLimits struct {
	Bytes   int
	Packets int
	Age     time.Duration
}

// Stamp turns a time into what LastHeard and LastSent hold: nanoseconds on the
// monotonic clock since this process started, never 0.
func Stamp(t time.Time) int64 { return int64(t.Sub(origin)) }

// Time turns a stamp back; the zero stamp is the zero time.
func Time(stamp int64) time.Time {
	if stamp == 0 {
		return time.Time{}
	}
	return origin.Add(time.Duration(stamp))
}

var origin = time.Now().Add(-time.Nanosecond)
