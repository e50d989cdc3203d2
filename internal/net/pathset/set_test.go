package pathset

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/memnet"
)

// An owner notes what a set asks of its session.
type owner struct {
	keys    bool
	using   link.Path
	sent    []byte // types of frames
	noticed []paths.Op
	onUse   func(now time.Time)
}

func (o *owner) Facts() paths.Facts { return paths.Facts{Keys: o.keys, Keep: true} }

func (o *owner) Send(_ link.Path, frame []byte, _ bool) {
	typ, _ := wire.FrameType(frame)
	o.sent = append(o.sent, typ)
}

func (o *owner) Use(p link.Path, now time.Time) {
	if o.using = p; o.onUse != nil {
		o.onUse(now)
	}
}

func (o *owner) Resized(link.Path)                              {}
func (o *owner) Dial([]paths.Link, []netip.AddrPort, time.Time) {}
func (o *owner) Later(f func(time.Time))                        { f(time.Now()) }
func (o *owner) Rotate(time.Time)                               {}

func (o *owner) Noticed(a paths.Action, _ link.Path, _ time.Time) {
	o.noticed = append(o.noticed, a.Op)
}

// took reports whether a frame of a type was sent since it was last asked.
func (o *owner) took(typ byte) bool {
	yes := slices.Contains(o.sent, typ)
	o.sent = nil
	return yes
}

// withConn runs f with an established session over one connection of QUIC.
func withConn(t *testing.T, f func(t *testing.T, x *Set, o *owner, conn link.Conn)) {
	bubble.Test(t, func(t *testing.T) {
		net := memnet.New(1)
		net.SetAll(memnet.Line{Delay: time.Millisecond})
		a, b := net.Node(netip.MustParseAddrPort("10.0.0.1:4242")), net.Node(netip.MustParseAddrPort("10.0.0.2:4242"))
		conn, err := a.Dial(t.Context(), wire.LinkQUIC, b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Accept(ctx); err != nil {
			t.Fatal(err)
		}
		o := &owner{keys: true}
		x := New(Config{Owner: o, Network: a, Traffic: new(link.Traffic), Machine: paths.Config{
			Kinds: []paths.Kind{KindOf(link.KindDatagram)}, Heartbeat: 30 * time.Second, Tolerance: 3,
			ProbeInterval: time.Second, IdleProbeInterval: 10 * time.Second}})
		now := time.Now()
		if !x.Attach(conn, false, now) || x.Attach(conn, false, now) {
			t.Error("a connection is attached once")
		}
		x.Proven(conn, paths.Completion{Won: true, Fresh: true}, now)
		x.Phase(paths.Up, now)
		f(t, x, o, conn)
		conn.Close("done")
		a.Kill()
		b.Kill()
		time.Sleep(time.Second) // what is on the lines arrives; time stands still after this
	})
}

func TestProvenConnectionIsUsed(t *testing.T) {
	withConn(t, func(t *testing.T, x *Set, o *owner, conn link.Conn) {
		if o.using != conn.Path() || x.Using() != conn.Path() || x.Link() != "quic" || x.StreamConn() != conn || !x.Connected() {
			t.Errorf("in use: %v, %q, connected: %v", x.Using(), x.Link(), x.Connected())
		}
		x.Heartbeat(time.Now())
		if !o.took(wire.FrameHeartbeat) {
			t.Error("no heartbeat was sent")
		}
	})
}

// The connection in use ends: nothing is sent any more, and the session is told.
func TestEndOfTheOnlyConnectionIsNoticed(t *testing.T) {
	withConn(t, func(t *testing.T, x *Set, o *owner, conn link.Conn) {
		x.Gone(conn, time.Now())
		if x.Using() != nil || x.Connected() || !slices.Contains(o.noticed, paths.Lost) {
			t.Errorf("in use: %v, noticed %v", x.Using(), o.noticed)
		}
	})
}

// A connection that ends while the session does is no outage.
func TestForgottenConnectionIsNoOutage(t *testing.T) {
	withConn(t, func(t *testing.T, x *Set, o *owner, conn link.Conn) {
		x.Forget(conn)
		if x.Connected() || len(o.noticed) > 0 {
			t.Errorf("connected: %v, noticed %v", x.Connected(), o.noticed)
		}
	})
}

// A probe is echoed; an echo that the session waits for is no proof of a path; what
// is malformed is said to be.
func TestFramesOfPaths(t *testing.T) {
	withConn(t, func(t *testing.T, x *Set, o *owner, conn link.Conn) {
		p, now := conn.Path(), time.Now()
		mine := func(nonce uint64) bool { return nonce == 7 }
		o.sent = nil
		if !x.Frame(p, wire.AppendProbe(nil, 1, wire.MinProbe), mine, now) || !o.took(wire.FrameEcho) {
			t.Error("a probe is not echoed")
		}
		if !x.Frame(p, wire.AppendHeartbeat(nil, wire.FrameHeartbeat, 1), mine, now) || !o.took(wire.FrameHeartbeatAck) {
			t.Error("a heartbeat is not acknowledged")
		}
		for nonce := range uint64(8) {
			if !x.Frame(p, wire.AppendEcho(nil, wire.Echo{Nonce: nonce, Seen: p.Remote()}), mine, now) {
				t.Errorf("echo %d is malformed", nonce)
			}
		}
		if x.Frame(p, wire.AppendProbe(nil, 1, wire.MinProbe)[:3], mine, now) {
			t.Error("half a probe is taken")
		}
	})
}

// What an action brings about is done after the actions that are under way: a set
// that is told of something within an action does not begin anew.
func TestEventsWithinActionsWait(t *testing.T) {
	withConn(t, func(t *testing.T, x *Set, o *owner, conn link.Conn) {
		depth, deepest := 0, 0
		o.onUse = func(now time.Time) {
			depth++
			deepest = max(deepest, depth)
			x.Gone(conn, now)
			x.Heartbeat(now)
			depth--
		}
		x.Gone(conn, time.Now())
		if x.busy || len(x.todo) > 0 || deepest != 1 {
			t.Errorf("busy %v, %d actions are left, depth %d", x.busy, len(x.todo), deepest)
		}
	})
}

// The address of an unproven path gets no more than it has sent: the probe that
// would exceed that does not leave.
func TestProbesOfAnUnprovenPathArePaidFor(t *testing.T) {
	withConn(t, func(t *testing.T, x *Set, o *owner, _ link.Conn) {
		d := &stranger{remote: netip.MustParseAddrPort("10.0.0.9:4242")}
		x.machine = paths.New(paths.Config{Kinds: []paths.Kind{KindOf(link.KindDirect)}, Heartbeat: 30 * time.Second, Tolerance: 3,
			ProbeInterval: time.Second, IdleProbeInterval: 10 * time.Second})
		x.routes = nil
		now := time.Now()
		x.Phase(paths.Up, now)
		o.sent = nil
		x.Moved(d, now)
		for range 10 {
			x.Tick(now)
			now = now.Add(time.Second)
		}
		if d.asked == 0 || o.took(wire.FrameProbe) {
			t.Errorf("%d probes were to be paid for, and one left", d.asked)
		}
	})
}

// The machine knows a circuit by what its kind is not: a connection, and dialled. Its
// room is the machine's least.
func TestKindOfCircuits(t *testing.T) {
	k := KindOf(link.KindCircuit)
	if k.Conn || k.Keepalive || k.Link != "" || k.Safe != wire.SafeCircuitRecord {
		t.Errorf("%+v", k)
	}
	for _, x := range link.Choices() {
		if o := KindOf(x); o.Link == "" || o.Rank >= k.Rank {
			t.Errorf("%s is a circuit, or behind one: %+v", x, o)
		}
	}
}

// A stranger is a direct path without a budget.
type stranger struct {
	link.Direct
	remote netip.AddrPort
	asked  int
}

func (s *stranger) Kind() *link.Kind       { return link.KindDirect }
func (s *stranger) Remote() netip.AddrPort { return s.remote }
func (s *stranger) Local() netip.AddrPort  { return netip.AddrPort{} }
func (s *stranger) Room() int              { return 1200 }
func (s *stranger) SetRoom(int)            {}
func (s *stranger) TakeBudget(int) bool    { s.asked++; return false }
