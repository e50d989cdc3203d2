package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
)

const (
	// maxWatched bounds the remotes that are watched.
	maxWatched = 1024
	// awaitTime is how long a datagram is awaited.
	awaitTime = time.Minute
)

// watches are the remotes of which somebody wants to know whether something comes from
// there. The reader of the socket finds one by its source, once for all packets in a
// row that have it; while nothing is watched it reads one number a receive.
type watches struct {
	version atomic.Uint64 // another one whenever something new is watched; 0: nothing is

	mu    sync.Mutex
	all   map[netip.AddrPort]*watch
	newer uint64 // the last version
}

// A watch is of one remote.
type watch struct {
	heard atomic.Int64 // link.Stamp of the last record or packet of QUIC; 0: none came
	asked time.Time    // when somebody last asked for that; zero: nobody has
	waits []*wait
}

// A wait is for the first datagram from some remotes.
type wait struct {
	remotes []netip.AddrPort
	came    chan netip.AddrPort // of one place: the first
	over    chan struct{}       // closed by end
	once    sync.Once
}

func newWait(remotes []netip.AddrPort) *wait {
	w := &wait{came: make(chan netip.AddrPort, 1), over: make(chan struct{})}
	for _, r := range remotes {
		w.remotes = append(w.remotes, withNumber(r))
	}
	return w
}

// end ends the waiting, if it has not ended.
func (w *wait) end(all *watches) {
	w.once.Do(func() {
		close(w.over)
		all.forget(w)
	})
}

func (w *wait) ended() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

// await enters a wait; false: one of its remotes is one too many.
func (w *watches) await(x *wait) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range x.remotes {
		e := w.entry(r)
		if e == nil {
			return false
		}
		e.waits = append(e.waits, x)
	}
	w.changed()
	return true
}

// forget takes a wait out.
func (w *watches) forget(x *wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range x.remotes {
		e := w.all[r]
		if e == nil {
			continue
		}
		for i, y := range e.waits {
			if y == x {
				e.waits = append(e.waits[:i:i], e.waits[i+1:]...)
				break
			}
		}
		if len(e.waits) == 0 && e.asked.IsZero() {
			delete(w.all, r)
		}
	}
	if len(w.all) == 0 {
		w.version.Store(0)
	}
}

// heardFrom is when something last came from a remote since it was first asked for.
func (w *watches) heardFrom(remote netip.AddrPort, now time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.all[remote]
	if e == nil {
		if e = w.entry(remote); e == nil {
			return time.Time{}
		}
		w.changed()
	}
	e.asked = now
	return link.Time(e.heard.Load())
}

// entry is the watch of a remote, a new one if there is room or one that is only asked
// for gives way; w.mu is held.
func (w *watches) entry(remote netip.AddrPort) *watch {
	if e := w.all[remote]; e != nil {
		return e
	}
	if len(w.all) == maxWatched && !w.displace() {
		return nil
	}
	if w.all == nil {
		w.all = make(map[netip.AddrPort]*watch)
	}
	e := new(watch)
	w.all[remote] = e
	return e
}

// displace removes the watch that nobody has asked for the longest, unless all are
// awaited; w.mu is held.
func (w *watches) displace() bool {
	var oldest netip.AddrPort
	var asked time.Time
	for r, e := range w.all {
		if len(e.waits) == 0 && (asked.IsZero() || e.asked.Before(asked)) {
			oldest, asked = r, e.asked
		}
	}
	delete(w.all, oldest)
	return oldest.IsValid()
}

// changed makes the reader look again; w.mu is held.
func (w *watches) changed() {
	w.newer++
	w.version.Store(w.newer)
}

// came tells those who wait for a datagram from a remote, and returns its watch; nil:
// it is not watched.
func (w *watches) came(from netip.AddrPort) *watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.all[from]
	if e == nil {
		return nil
	}
	for _, x := range e.waits {
		select {
		case x.came <- from:
		default: // it was told before
		}
	}
	return e
}

// A spotter is the reader's part: the watch of the source that packets came from last.
type spotter struct {
	all     *watches
	version uint64 // for which src and watch are right; 0: nothing is watched
	src     netip.AddrPort
	watch   *watch // nil: src is not watched
	now     int64  // link.Stamp of this receive; 0: not read yet
	noted   bool   // on watch, in this receive
}

// begin begins a receive.
func (s *spotter) begin() {
	s.now, s.noted = 0, false
	if v := s.all.version.Load(); v != s.version {
		s.version, s.src, s.watch = v, netip.AddrPort{}, nil
	}
}

// watching reports whether anything is watched.
func (s *spotter) watching() bool { return s.version != 0 }

// from says that a packet came from a source.
func (s *spotter) from(src netip.AddrPort) {
	if src == s.src {
		return
	}
	s.src, s.noted = src, false
	s.watch = s.all.came(src)
}

// heard says that it was a record or a packet of QUIC.
func (s *spotter) heard() {
	if s.watch != nil && !s.noted {
		s.note()
	}
}

// note notes that on the watch, once a receive.
func (s *spotter) note() {
	if s.now == 0 {
		s.now = link.Stamp(time.Now())
	}
	s.watch.heard.Store(s.now)
	s.noted = true
}
