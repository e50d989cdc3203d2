package relay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"
)

// An oracle says which meetings and circuits there should be. It follows the rules
// with lists and loops: no alarms, no counts, no actions.
type oracle struct {
	cfg    Config
	mode   Mode
	up     map[DID]Session
	credit map[DID]time.Duration // of meetings: a tenth of a second each
	when   map[DID]time.Time     // of that credit
	pairs  []*couple
}

// A couple has a meeting under way, a circuit, or both.
type couple struct {
	a, b   DID // the smaller digest first
	ask    *asked
	open   *opened
	passed time.Time
}

type asked struct {
	caller DID
	id     uint32
	label  Label
	until  time.Time
}

type opened struct {
	caller DID
	id     uint32
	out    map[DID]Label
	used   time.Time
	met    time.Time
	acked  map[DID]time.Time
}

func less(a, b DID) bool { return bytes.Compare(a[:], b[:]) < 0 }

func newOracle(cfg Config) *oracle {
	return &oracle{cfg: cfg.withDefaults(), mode: cfg.Mode, up: make(map[DID]Session), credit: make(map[DID]time.Duration),
		when: make(map[DID]time.Time)}
}

func (o *oracle) has(d DID) bool { _, ok := o.up[d]; return ok }

func (o *oracle) admits(d DID) bool {
	s, ok := o.up[d]
	return ok && (o.mode == Peers && s.Standing == Static || o.mode == Network && s.Standing != Stranger)
}

func (o *oracle) find(x, y DID) *couple {
	for _, c := range o.pairs {
		if c.a == x && c.b == y || c.a == y && c.b == x {
			return c
		}
	}
	return nil
}

// clean forgets couples that have nothing.
func (o *oracle) clean() {
	o.pairs = slices.DeleteFunc(o.pairs, func(c *couple) bool { return c.ask == nil && c.open == nil })
}

// drop ends everything of the couples that a rule names.
func (o *oracle) drop(is func(*couple) bool) {
	o.pairs = slices.DeleteFunc(o.pairs, is)
}

func (o *oracle) count(is func(*couple) bool) (n int) {
	for _, c := range o.pairs {
		if is(c) {
			n++
		}
	}
	return n
}

func (c *couple) of(d DID) bool { return c.a == d || c.b == d }
func (c *couple) other(d DID) DID {
	if c.a == d {
		return c.b
	}
	return c.a
}

// taken reports whether a peer uses a label in another couple, named whether it has
// named another meeting so.
func (o *oracle) taken(d DID, in *couple, l Label) bool {
	return o.count(func(c *couple) bool {
		return c != in && c.of(d) && (c.open != nil && c.open.out[d] == l || c.ask != nil && c.ask.caller == d && c.ask.label == l)
	}) > 0
}

func (o *oracle) named(d DID, in *couple, id uint32) bool {
	return o.count(func(c *couple) bool { return c != in && c.calls(d, id) }) > 0
}

// calls reports whether a peer is the caller of a couple by a name.
func (c *couple) calls(d DID, id uint32) bool {
	return c.ask != nil && c.ask.caller == d && c.ask.id == id || c.open != nil && c.open.caller == d && c.open.id == id
}

func (o *oracle) left(d DID) int {
	all := o.count(func(c *couple) bool { return c.open != nil })
	own := o.count(func(c *couple) bool { return c.open != nil && c.of(d) })
	return min(o.cfg.Circuits-all, o.cfg.PeerCircuits-own)
}

// pay takes a tenth of a second of the five seconds of credit.
func (o *oracle) pay(d DID, now time.Time) bool {
	c := 5 * time.Second
	if w, ok := o.when[d]; ok {
		c = min(c, o.credit[d]+now.Sub(w))
	}
	if o.when[d] = now; c < 100*time.Millisecond {
		o.credit[d] = c
		return false
	}
	o.credit[d] = c - 100*time.Millisecond
	return true
}

func apart(last, now time.Time) bool { return last.IsZero() || now.Sub(last) >= 100*time.Millisecond }

func (o *oracle) tick(now time.Time) {
	for _, c := range o.pairs {
		if c.ask != nil && !c.ask.until.After(now) {
			c.ask = nil
		}
	}
	o.clean()
}

func (o *oracle) rise(d DID, s Session) {
	if old, ok := o.up[d]; ok && old.Incarnation != s.Incarnation {
		o.ended(d)
	}
	o.up[d] = s
	o.judge()
}

func (o *oracle) ended(d DID) {
	delete(o.up, d)
	delete(o.when, d)
	o.drop(func(c *couple) bool { return c.of(d) })
}

func (o *oracle) judge() {
	o.drop(func(c *couple) bool { return !o.admits(c.a) || !o.admits(c.b) })
}

func (o *oracle) meet(now time.Time, from DID, x Meeting, l Label) {
	if !o.has(from) {
		return
	}
	c := o.find(from, x.Other)
	if c != nil && c.ask != nil && c.ask.caller != from && less(c.ask.caller, from) {
		return
	}
	if c != nil && c.calls(from, x.ID) {
		if apart(c.passed, now) {
			if c.ask == nil || c.ask.caller != from || c.ask.id != x.ID {
				c.say(from, l, now)
				l = c.open.out[from]
			} else {
				l = c.ask.label
			}
			c.ask, c.passed = &asked{from, x.ID, l, now.Add(5 * time.Second)}, now
		}
		return
	}
	if !o.pay(from, now) {
		return
	}
	asks := o.count(func(c *couple) bool { return c.ask != nil })
	own := o.count(func(c *couple) bool { return c.ask != nil && c.ask.caller == from })
	theirs := o.count(func(c *couple) bool { return c.ask != nil && c.of(x.Other) && c.ask.caller != x.Other })
	switch {
	case !l.Valid(), o.taken(from, c, l), o.named(from, c, x.ID):
	case asks >= o.cfg.Circuits, own >= 64, theirs >= 256, (c == nil || c.open == nil) && o.left(from) <= 0:
	case x.Other == from, !o.admits(from), !o.admits(x.Other):
	default:
		if c == nil {
			c = &couple{a: from, b: x.Other}
			if less(c.b, c.a) {
				c.a, c.b = c.b, c.a
			}
			o.pairs = append(o.pairs, c)
		}
		c.ask, c.passed = &asked{from, x.ID, l, now.Add(5 * time.Second)}, now
	}
}

// say notes that an end with another label than the hub knows is told so.
func (c *couple) say(d DID, l Label, now time.Time) {
	if c.open.out[d] != l && apart(c.open.acked[d], now) {
		c.open.acked[d] = now
	}
}

func (o *oracle) met(now time.Time, from DID, x Meeting, l Label) {
	c := o.find(from, x.Other)
	if !o.has(from) || from == x.Other {
		c = nil
	}
	switch {
	case c != nil && c.ask != nil && c.ask.caller == x.Other && c.ask.id == x.ID:
		a := c.ask
		if c.ask = nil; c.open != nil && c.open.caller == x.Other && c.open.id == x.ID {
			if apart(c.open.met, now) {
				c.open.met = now
			}
			c.say(from, l, now)
		} else if l.Valid() && !o.taken(from, c, l) && (c.open != nil || o.left(from) > 0 && o.left(x.Other) > 0) {
			if c.open == nil {
				c.open = &opened{out: make(map[DID]Label), acked: make(map[DID]time.Time)}
			}
			c.open.caller, c.open.id, c.open.used = a.caller, a.id, now
			c.open.out[a.caller], c.open.out[from] = a.label, l
			if apart(c.open.met, now) {
				c.open.met = now
			}
		}
	case c != nil && c.open != nil && c.open.caller == x.Other && c.open.id == x.ID:
		if apart(c.open.met, now) {
			c.open.met = now
			c.say(from, l, now)
		}
	}
	o.clean()
}

func (o *oracle) notMet(from DID, id uint32, caller DID) {
	if o.has(from) && o.has(caller) {
		o.drop(func(c *couple) bool { return c.of(from) && c.calls(caller, id) })
	}
}

func (o *oracle) relabel(now time.Time, from DID, x Meeting, l Label) {
	c := o.find(from, x.Other)
	if c == nil || c.open == nil || c.open.id != x.ID || !apart(c.open.acked[from], now) {
		return
	}
	if c.open.acked[from] = now; !l.Valid() || o.taken(from, c, l) {
		o.drop(func(x *couple) bool { return x == c })
		return
	}
	c.open.out[from] = l
}

// look takes what came of a look, for the circuit of two peers.
func (o *oracle) look(now time.Time, x, y DID, used bool) {
	c := o.find(x, y)
	if used {
		c.open.used = now
	}
	if now.Sub(c.open.used) >= 5*time.Minute {
		o.drop(func(x *couple) bool { return x == c })
	}
}

// String is the meetings and circuits, in order.
func (o *oracle) String() string {
	var lines []string
	for _, c := range o.pairs {
		if a := c.ask; a != nil {
			lines = append(lines, fmt.Sprintf("%v asks %v, %d %x", a.caller, c.other(a.caller), a.id, a.label))
		}
		if q := c.open; q != nil {
			lines = append(lines, fmt.Sprintf("%v called %v, %d %x %x", q.caller, c.other(q.caller), q.id, q.out[c.a], q.out[c.b]))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// said is the same of a machine.
func (m *Machine) said() string {
	var lines []string
	for _, p := range m.pairs {
		if a := &p.ask; a.pending {
			lines = append(lines, fmt.Sprintf("%v asks %v, %d %x", p.ends[a.asker].did, p.ends[1-a.asker].did, a.askID, a.askLabel))
		}
		if c := &p.circuit; c.stands() {
			lines = append(lines, fmt.Sprintf("%v called %v, %d %x %x", p.ends[c.caller].did, p.ends[1-c.caller].did, c.name, p.legs[0].out, p.legs[1].out))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
