package pathset

import (
	"net/netip"
	"slices"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
)

// An Owner is the session of a Set. Every call comes from its loop.
type Owner interface {
	// Facts are what the session knows: Keys, Keep, Dialling, Yields and Messages.
	Facts() paths.Facts
	// Send sends a frame on a path under the epoch in use; whole says that it must be
	// one record, whatever the path's room.
	Send(p link.Path, frame []byte, whole bool)
	// Use sends everything on a path from now on; nil lets packets wait.
	Use(p link.Path, now time.Time)
	// Resized: the path in use has another room.
	Resized(p link.Path)
	// Dial makes connections over links that the session lacks, at remotes alone if
	// there are any; without links its next handshake leaves now.
	Dial(links []paths.Link, remotes []netip.AddrPort, now time.Time)
	// Later runs f in the session's loop. Any goroutine may call it.
	Later(f func(now time.Time))
	// Rotate asks for a new epoch.
	Rotate(now time.Time)
	// Noticed passes on what the machine has noticed of a path, or of all: p is nil.
	Noticed(a paths.Action, p link.Path, now time.Time)
}

// A Config is what a Set is made of.
type Config struct {
	Owner   Owner
	Network link.Network // makes direct paths
	Traffic *link.Traffic
	Seat    *meeting.Seat  // where the session finds hubs; nil: nowhere
	Known   netip.AddrPort // where the peer was before; invalid: not known
	Machine paths.Config
	Beats   *Beats // of the node; nil: the session sends alone
}

// A route is a path of the machine with what carries it.
type route struct {
	id paths.ID
	link.Path
	conn link.Conn // that it belongs to; nil for direct
	via  paths.Hub // that forwards; 0: none
}

// remote is where the path leads, as far as that is an address: what a hub forwards
// has none.
func (r *route) remote() netip.AddrPort {
	if r.via != 0 {
		return netip.AddrPort{}
	}
	return r.Remote()
}

// A Set is the paths of one session.
type Set struct {
	c       Config
	machine *paths.Machine
	routes  []*route
	using   *route // carries what we send; nil: packets wait
	todo    []paths.Action
	busy    bool
	sights  []paths.Sight
	talks   talks
	aside
}

// New makes a set without paths.
func New(c Config) *Set {
	if c.Seat != nil {
		c.Machine.Sprayed = c.Seat.Sprayed()
	}
	x := &Set{c: c, machine: paths.New(c.Machine)}
	x.machine.Remember(c.Known)
	x.aside.x = x
	x.talks = talks{x: x, all: make(map[paths.Hub]*talk)}
	return x
}

// KindOf are the facts about a carrier that path policy rests on.
func KindOf(k *link.Kind) paths.Kind {
	return paths.Kind{Name: k.Name, Link: paths.Link(k.Link), Rank: k.Rank, Conn: k.Conn, Keepalive: k.Keepalive > 0, Safe: k.SafeSize}
}

// Using is the path in use; nil: packets wait.
func (x *Set) Using() link.Path {
	if x.using == nil {
		return nil
	}
	return x.using.Path
}

// Link is the link of the path in use, as people are shown it; "" without one.
func (x *Set) Link() string {
	if x.using == nil {
		return ""
	}
	return string(x.using.Kind().Link)
}

// Summary is the machine's.
func (x *Set) Summary() paths.Summary { return x.machine.Summary() }

// NewNonce draws a nonce for a probe of the session's own.
func (x *Set) NewNonce() uint64 { return x.machine.NewNonce() }

// Paths are all that the session has.
func (x *Set) Paths() []link.Path {
	all := make([]link.Path, len(x.routes))
	for i, r := range x.routes {
		all[i] = r.Path
	}
	return all
}

// StreamConn is the connection for ordered channels; nil for none.
func (x *Set) StreamConn() link.Conn {
	if r := x.find(x.machine.Summary().Stream); r != nil {
		return r.conn
	}
	return nil
}

// ReplyPath is where the answer to a message of a rotation goes: back on its path,
// which the peer uses while ours may be broken. The message may be a replay, so only
// a proven path counts.
func (x *Set) ReplyPath(asked link.Path) link.Path {
	if x.machine.Proves(x.idOf(asked)) {
		return asked
	}
	return x.Using()
}

// Connected reports whether a connection is open.
func (x *Set) Connected() bool {
	return slices.ContainsFunc(x.routes, func(r *route) bool { return r.conn != nil })
}

// add makes a path one of the set. It returns 0 for a candidate that is one
// too many.
func (x *Set) add(r *route, o paths.Origin, inbound bool, now time.Time) paths.ID {
	x.handle(now, func(now time.Time) (actions []paths.Action) {
		r.id, actions = x.machine.Add(now, paths.Path{Kind: KindOf(r.Kind()), Remote: r.remote(), Local: r.Local(),
			Via: r.via, Origin: o, Inbound: inbound, Room: r.Room()})
		if r.id != 0 {
			x.routes = append(x.routes, r)
		}
		return actions
	})
	return r.id
}

// find is the path of an ID; nil when it was dropped.
func (x *Set) find(id paths.ID) *route {
	for _, r := range x.routes {
		if r.id == id {
			return r
		}
	}
	return nil
}

// idOf is the ID of a path; 0 for none of the session's.
func (x *Set) idOf(p link.Path) paths.ID {
	for _, r := range x.routes {
		if r.Path == p {
			return r.id
		}
	}
	return 0
}

// routeOf is the path of a connection; nil for none.
func (x *Set) routeOf(conn link.Conn) *route {
	for _, r := range x.routes {
		if r.conn == conn {
			return r
		}
	}
	return nil
}

// drop forgets a path.
func (x *Set) drop(id paths.ID) {
	if r := x.find(id); r != nil {
		x.talks.dropped(r)
	}
	x.routes = slices.DeleteFunc(x.routes, func(r *route) bool { return r.id == id })
}

// Clear forgets all, and closes their connections.
func (x *Set) Clear(now time.Time) {
	for _, r := range x.routes {
		if r.conn != nil {
			r.conn.Close("session ended")
		}
	}
	x.c.Beats.count(x.using, nil)
	x.routes, x.using, x.todo = nil, nil, nil
	x.talks.clear()
	x.do(x.machine.Clear(), now)
}

// String prints the policy, for logs and tests.
func (x *Set) String() string { return x.machine.String() }
