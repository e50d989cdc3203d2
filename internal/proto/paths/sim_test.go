package paths

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// The kinds that there are, as session makes them from carriers.
var (
	direct   = Kind{Name: "direct", Link: QUIC, Rank: 0, Safe: wire.SafeRecord}
	datagram = Kind{Name: "datagram", Link: QUIC, Rank: 1, Conn: true, Keepalive: true, Safe: wire.SafeRecord}
	circuit  = Kind{Name: "circuit", Rank: 3, Safe: circuitSafe}
	utcp     = Kind{Name: "utcp", Link: TCP, Rank: 2, Conn: true, Keepalive: true, Safe: 64 << 10}
)

var defaults = Config{Kinds: []Kind{direct, datagram, utcp, circuit}, Heartbeat: 30 * time.Second, Tolerance: 3,
	ProbeInterval: time.Second, IdleProbeInterval: 10 * time.Second}

var start0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A clock is virtual time with what happens at which moment.
type clock struct {
	now time.Time
	seq int
	due queue
}

type moment struct {
	at  time.Time
	seq int
	do  func()
}

type queue []moment

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(moment)) }
func (q *queue) Pop() (x any) {
	old := *q
	x, *q = old[len(old)-1], old[:len(old)-1]
	return x
}

func (c *clock) after(d time.Duration, do func()) {
	c.seq++
	heap.Push(&c.due, moment{c.now.Add(d), c.seq, do})
}

// A line is what happens to records of a path.
type line struct {
	cut   bool
	limit int     // largest record that passes; 0: any
	loss  float64 // of datagrams
	delay time.Duration
	jit   time.Duration // reordering
	rate  int           // bytes a second that a connection carries; 0: any
}

// A way is a path of a host with its line.
type way struct {
	id   ID
	path Path
	line *line
	far  *way // the peer's end of a connection
	gone bool
	came int       // bytes that came by it and are not spent
	wide int       // largest record that came since a small probe was answered
	load Load      // of a connection
	free time.Time // when its queue is empty
	log  []carried // of the last two seconds
}

// carried is how much a way had carried when another packet came.
type carried struct {
	at     time.Time
	before int64
}

// carry puts a packet into the queue of a connection. False: it is full.
func (w *way) carry(bytes int, now time.Time) bool {
	if !w.path.Kind.Conn {
		return true
	}
	w.free = latest(w.free, now)
	waits := w.free.Sub(now)
	if waits > 40*time.Millisecond {
		return false
	}
	for len(w.log) > 0 && now.Sub(w.log[0].at) > 2*time.Second {
		w.log = w.log[1:]
	}
	w.log = append(w.log, carried{now, w.load.Carried})
	if w.load.Carried += int64(bytes); waits > 5*time.Millisecond {
		w.load.Late += int64(bytes)
	}
	if w.line.rate > 0 {
		w.free = w.free.Add(time.Duration(bytes) * time.Second / time.Duration(w.line.rate))
	}
	return true
}

// A host executes one machine's actions over lines. Without a peer its records
// are reflected: probes come back as echoes, heartbeats are acknowledged.
type host struct {
	c     *clock
	m     *Machine
	rng   *rand.Rand
	facts Facts
	ways  []*way
	using *way
	addr  netip.AddrPort
	peer  *host
	lines map[string]*line // of a kind, for paths that are made
	won   int              // number of the best handshake so far
	todo  []Action
	busy  bool
	note  func(a Action) // each action, before it is performed
	dial  func(a Action)
	meets func(a Action)
	udp   func(remote netip.AddrPort, opener bool, deliver func(from netip.AddrPort)) // through NATs; nil: there are none
	event int

	oracle *oracle
	heard  map[netip.AddrPort]time.Time // when something came from a remote
}

func newHost(c *clock, seed uint64) *host {
	h := &host{c: c, m: New(defaults), rng: rand.New(rand.NewPCG(seed, 1)), lines: make(map[string]*line),
		addr: netip.MustParseAddrPort("10.0.0.1:1"), note: func(Action) {}, dial: func(Action) {}, meets: func(Action) {}, heard: make(map[netip.AddrPort]time.Time)}
	h.facts = Facts{Keys: true, Keep: true}
	for _, k := range []Kind{direct, datagram, utcp, circuit} {
		h.lines[k.Name] = &line{delay: 10 * time.Millisecond}
	}
	return h
}

// tell hands an event over and performs what comes of it.
func (h *host) tell(event func(now time.Time) []Action) { h.ask(nil, event) }

// ask is tell, with what the event means to the model.
func (h *host) ask(means func(o *oracle), event func(now time.Time) []Action) {
	f := h.facts
	for _, w := range h.ways {
		if !w.path.Kind.Conn && w.path.Via == 0 {
			w.path.Local = h.addr
		}
		f.Paths = append(f.Paths, Sight{w.id, w.path.Remote, w.path.Local, w.path.Room, h.heard[w.path.Remote], w.path.Kind.Conn, w.load})
	}
	h.facts.WideSent = 0
	h.event++
	h.m.Observe(f)
	actions := event(h.c.now)
	if h.oracle != nil {
		h.oracle.judge(h, means, actions)
	}
	h.perform(actions)
}

func (h *host) perform(actions []Action) {
	if h.todo = append(h.todo, actions...); h.busy {
		return
	}
	h.busy = true
	for len(h.todo) > 0 {
		a := h.todo[0]
		h.todo = h.todo[1:]
		h.note(a)
		h.do(a)
	}
	h.busy = false
}

func (h *host) find(id ID) *way {
	for _, w := range h.ways {
		if w.id == id {
			return w
		}
	}
	return nil
}

func (h *host) do(a Action) {
	w := h.find(a.ID)
	switch a.Op {
	case Probe:
		if a.Charged {
			if w.came < a.Size {
				h.ask(func(o *oracle) { o.denied(a.ID, a.Nonce) }, func(now time.Time) []Action { return h.m.Denied(now, a.ID, a.Nonce) })
				return
			}
			w.came -= a.Size
		}
		h.send(w, a.Size, func(far *host, fw *way) { far.probed(fw, a.Nonce, a.Size) })
	case Beat:
		h.send(w, smallProbe, func(far *host, fw *way) { far.beaten(fw, a.Nonce) })
	case Use:
		h.using = w
	case Resize:
		w.path.Room = a.Size
	case Open:
		h.open(a)
	case Drop:
		h.drop(a.ID)
	case Hangup:
		if w.far != nil {
			w.far.end()
		}
	case Dial:
		h.dial(a)
	case Openers:
		h.meets(a)
		h.tell(h.m.Opened)
	case Ask, Answer, Ready, Knock, Suspect, OpenPorts, KnockPorts, StopPorts:
		h.meets(a)
	}
}

// end lets a connection end at this side, a moment later.
func (w *way) end() {
	if w.gone = true; w.far != nil {
		w.far.gone = true
	}
}

func (h *host) drop(id ID) {
	for i, w := range h.ways {
		if w.id == id {
			h.ways = append(h.ways[:i:i], h.ways[i+1:]...)
			return
		}
	}
}

// open makes a direct path, as the session does.
func (h *host) open(a Action) *way {
	for _, w := range h.ways {
		if w.path.Kind == direct && w.path.Remote == a.Remote {
			h.ask(func(o *oracle) { o.revisit(w.id, a.Origin) }, func(now time.Time) []Action { return h.m.Revisit(now, w.id, a.Origin) })
			return w
		}
	}
	return h.add(Path{Kind: direct, Remote: a.Remote, Local: h.addr, Origin: a.Origin, Room: 1232})
}

// add makes a path; nil if the machine refuses it.
func (h *host) add(p Path) *way {
	w := &way{path: p, line: h.lines[p.Kind.Name]}
	if p.Origin == Heard || p.Origin == Handshake {
		h.heard[p.Remote] = h.c.now
	}
	h.ask(func(o *oracle) { o.add(w.id, p) }, func(now time.Time) (out []Action) {
		if w.id, out = h.m.Add(now, p); w.id != 0 {
			h.ways = append(h.ways, w)
		}
		return out
	})
	if w.id == 0 {
		return nil
	}
	return w
}

// send lets a record travel. Deliver runs at the other end: the peer, or, where
// there is none, this host again.
func (h *host) send(w *way, bytes int, deliver func(far *host, fw *way)) {
	l := w.line
	datagrams := w.path.Kind.Link != TCP
	if l.cut || w.gone || l.limit > 0 && bytes > l.limit && datagrams || datagrams && h.rng.Float64() < l.loss {
		return
	}
	if h.udp != nil && w.path.Via == 0 && w.path.Kind.Link == QUIC {
		h.translated(w, bytes, deliver)
		return
	}
	d := l.delay
	if l.jit > 0 {
		d += time.Duration(h.rng.Int64N(int64(l.jit)))
	}
	h.c.after(d, func() {
		if w.gone {
			return
		}
		if h.peer == nil {
			deliver(h, w)
		} else if fw := h.peer.arriving(w, h); fw != nil {
			fw.came += bytes
			fw.load.Came += int64(bytes)
			if fw.path.Kind != utcp {
				fw.wide = max(fw.wide, bytes)
			}
			h.peer.hear(fw)
			deliver(h.peer, fw)
		}
	})
}

// translated lets a record travel through NATs.
func (h *host) translated(w *way, bytes int, deliver func(far *host, fw *way)) {
	h.udp(w.path.Remote, false, func(from netip.AddrPort) {
		fw := w.far
		if !w.path.Kind.Conn {
			fw = h.peer.from(from)
		}
		if fw == nil || fw.gone {
			return
		}
		fw.came += bytes
		if fw.wide = max(fw.wide, bytes); fw.path.Kind.Conn {
			fw.load.Came += int64(bytes)
		}
		h.peer.hear(fw)
		deliver(h.peer, fw)
	})
}

// from is the direct path to where a record came from.
func (h *host) from(remote netip.AddrPort) *way {
	for _, x := range h.ways {
		if x.path.Kind == direct && x.path.Remote == remote {
			return x
		}
	}
	return h.add(Path{Kind: direct, Remote: remote, Local: h.addr, Origin: Heard, Room: 1232})
}

// arriving is the path by which a record of from's way w comes.
func (h *host) arriving(w *way, from *host) *way {
	if w.path.Kind.Conn || w.path.Via != 0 {
		return w.far
	}
	if w.path.Remote != h.addr {
		return nil // there is nobody any more
	}
	for _, x := range h.ways {
		if !x.path.Kind.Conn && x.path.Remote == from.addr {
			return x
		}
	}
	return h.add(Path{Kind: direct, Remote: from.addr, Local: h.addr, Origin: Heard, Room: 1232})
}

// hear notes that a record came by a path.
func (h *host) hear(w *way) {
	h.heard[w.path.Remote] = h.c.now
	moved := h.facts.HeardOn != w.id
	h.facts.HeardOn, h.facts.LastHeard = w.id, h.c.now
	if moved {
		h.ask(func(o *oracle) { o.moved(w.id) }, func(now time.Time) []Action { return h.m.Moved(now, w.id) })
	}
}

// probed answers a probe; without a peer it is the echo itself.
func (h *host) probed(w *way, nonce uint64, bytes int) {
	if h.peer == nil {
		h.c.after(w.line.delay, func() { h.echoed(w, wire.Echo{Nonce: nonce, Seen: h.addr, Widest: w.wide}) })
		w.wide = 0
		return
	}
	e := wire.Echo{Nonce: nonce, Seen: w.path.Remote, Widest: w.wide}
	if bytes == smallProbe {
		w.wide = 0
	}
	h.send(w, smallProbe, func(far *host, fw *way) { far.echoed(fw, e) })
	h.tell(func(now time.Time) []Action { return h.m.Probed(now, w.id) })
}

func (h *host) echoed(w *way, e wire.Echo) {
	if w.gone || h.find(w.id) == nil {
		return
	}
	if h.peer == nil {
		h.hear(w)
	}
	h.ask(func(o *oracle) { o.echo(w.id, e.Nonce, w.path.Local) }, func(now time.Time) []Action { return h.m.Echo(now, w.id, e) })
}

func (h *host) beaten(w *way, nonce uint64) {
	if h.peer == nil {
		h.c.after(w.line.delay, func() { h.acked(w, nonce) })
		return
	}
	h.send(w, smallProbe, func(far *host, fw *way) { far.acked(fw, nonce) })
	h.tell(func(now time.Time) []Action { return h.m.Beaten(now, w.id) })
}

func (h *host) acked(w *way, nonce uint64) {
	if w.gone || h.find(w.id) == nil {
		return
	}
	if h.peer == nil {
		h.hear(w)
	}
	h.tell(func(now time.Time) []Action { return h.m.Acknowledged(now, nonce) })
}

// packet lets one leave, of some size.
func (h *host) packet(bytes int) {
	if h.using == nil {
		return
	}
	w := h.using
	h.facts.LastSent = h.c.now
	h.facts.WideSent = max(h.facts.WideSent, bytes)
	if h.m.Summary().Watch {
		h.tell(h.m.Sent)
	}
	if !w.carry(bytes, h.c.now) {
		return
	}
	h.send(w, bytes, func(far *host, fw *way) {
		if h.peer == nil && fw.path.Kind.Link != TCP {
			fw.wide = max(fw.wide, bytes)
		}
	})
}

// handshake completes one over a connection, as the session does.
func (h *host) handshake(w *way, c Completion) {
	h.heard[w.path.Remote] = h.c.now
	h.ask(func(o *oracle) { o.handshake(w.id, c) }, func(now time.Time) []Action { return h.m.Proven(now, w.id, c) })
	h.state(Up)
	h.tell(h.m.Heartbeat)
}

func (h *host) state(p Phase) {
	h.ask(func(o *oracle) { o.state(p) }, func(now time.Time) []Action { return h.m.State(now, p) })
}

// gone ends a connection at this host.
func (h *host) gone(w *way) {
	w.gone = true
	if h.find(w.id) != nil {
		h.ask(func(o *oracle) { o.gone(w.id) }, func(now time.Time) []Action { return h.m.Gone(now, w.id) })
	}
}

// run lets time pass for all hosts, ticking each at its deadlines.
func (c *clock) run(d time.Duration, hosts ...*host) {
	end := c.now.Add(d)
	for {
		next := end
		if len(c.due) > 0 && c.due[0].at.Before(next) {
			next = c.due[0].at
		}
		for _, h := range hosts {
			if at := h.m.Deadline(); !at.IsZero() && at.Before(next) {
				next = latest(at, c.now)
			}
		}
		c.now = latest(next, c.now)
		for len(c.due) > 0 && !c.due[0].at.After(c.now) {
			heap.Pop(&c.due).(moment).do()
		}
		for _, h := range hosts {
			if at := h.m.Deadline(); due(at, c.now) {
				h.tell(h.m.Tick)
			}
		}
		if !c.now.Before(end) {
			return
		}
	}
}
