package datapath

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/tun"
)

const (
	maxTaps  = 4       // at once
	tapCount = 4096    // packets that wait for the reader of a tap
	tapBytes = 8 << 20 // bytes of them
)

// ErrTaps: the largest number of captures runs already.
var ErrTaps = errors.New("datapath: four captures run already")

// A Captured is one packet that passed: a copy of its first bytes. Of a
// super-packet it is the whole; a checksum that the kernel left to the device is
// not complete.
type Captured struct {
	At   time.Time
	Peer *Peer
	Out  bool // from the system to the peer
	Len  int  // bytes of the packet
	Data []byte
}

// A Tap takes copies of the packets between the device and one peer, or all. It
// never makes a packet loop wait: what its reader does not fetch in time is
// counted and lost. Close it.
type Tap struct {
	of      *taps
	peer    *Peer // nil: all
	snap    int
	got     chan Captured
	bytes   atomic.Int64
	dropped atomic.Uint64
}

// taps are read by the packet loops, one atomic load a batch.
type taps struct {
	mu  sync.Mutex // guards changes
	all atomic.Pointer[[]*Tap]
}

func (x *taps) open(peer *Peer, snap int) (*Tap, error) {
	t := &Tap{of: x, peer: peer, snap: snap, got: make(chan Captured, tapCount)}
	x.mu.Lock()
	defer x.mu.Unlock()
	var now []*Tap
	if p := x.all.Load(); p != nil {
		now = *p
	}
	if len(now) >= maxTaps {
		return nil, ErrTaps
	}
	now = append(slices.Clone(now), t)
	x.all.Store(&now)
	return t, nil
}

// Close ends the capture. Packets may arrive a moment longer.
func (t *Tap) Close() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	p := t.of.all.Load()
	if p == nil {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(*p), func(x *Tap) bool { return x == t })
	if len(rest) == 0 {
		t.of.all.Store(nil)
		return
	}
	t.of.all.Store(&rest)
}

// Packets is where the copies come; call Took for each.
func (t *Tap) Packets() <-chan Captured { return t.got }

// Took gives the room of a packet back.
func (t *Tap) Took(c Captured) { t.bytes.Add(-int64(len(c.Data))) }

// Dropped is how many packets found no room.
func (t *Tap) Dropped() uint64 { return t.dropped.Load() }

// tapOut shows what is about to be sent, before sealing writes over it.
func tapOut(all []*Tap, groups []group) {
	now := time.Now()
	for _, t := range all {
		for i := range groups {
			for _, p := range groups[i].pkts {
				t.take(groups[i].peer, true, p.Data(), now)
			}
		}
	}
}

// tapIn shows what is about to be written to the device.
func tapIn(all []*Tap, from *Peer, pkts []tun.Packet) {
	now := time.Now()
	for _, t := range all {
		for i := range pkts {
			t.take(from, false, pkts[i].Data(), now)
		}
	}
}

func (t *Tap) take(peer *Peer, out bool, data []byte, now time.Time) {
	if t.peer != nil && t.peer != peer {
		return
	}
	n := min(len(data), t.snap)
	if t.bytes.Add(int64(n)) > tapBytes {
		t.bytes.Add(-int64(n))
		t.dropped.Add(1)
		return
	}
	select {
	case t.got <- Captured{now, peer, out, len(data), append([]byte(nil), data[:n]...)}:
	default:
		t.bytes.Add(-int64(n))
		t.dropped.Add(1)
	}
}
