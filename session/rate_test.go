package session_test

import (
	"context"
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/transport"
)

// A meeting is a hub and others who know each other, on loopback, without
// devices, and nobody has begun yet.
type meeting struct {
	b      testing.TB
	hub    *session.Manager
	others []*session.Manager
	hubDID did.DID
	ends   []func()
}

// newMeeting gives each node an address of its own, so that none is held back as
// a stranger who asks too often.
func newMeeting(b testing.TB, n int, carrier *link.Kind, s session.Settings) *meeting {
	m := &meeting{b: b}
	where := new(did.Static)
	m.hub, m.hubDID = m.node(0, carrier, where, s)
	for i := range n {
		other, d := m.node(i+1, carrier, where, s)
		m.others = append(m.others, other)
		if _, err := m.hub.Add(session.Peer{DID: d}); err != nil {
			b.Fatal(err)
		}
		if _, err := other.Add(session.Peer{DID: m.hubDID}); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// identity of node n; the hub is 0.
func (m *meeting) identity(n int) *did.Identity {
	id, err := did.NewIdentity(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(n)))
	if err != nil {
		m.b.Fatal(err)
	}
	return id
}

func (m *meeting) node(n int, carrier *link.Kind, where *did.Static, s session.Settings) (*session.Manager, did.DID) {
	return m.nodeAt(n, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 9, byte(n >> 8), byte(n)}), 0), carrier, where, s)
}

func (m *meeting) nodeAt(n int, at netip.AddrPort, carrier *link.Kind, where *did.Static, s session.Settings) (*session.Manager, did.DID) {
	id := m.identity(n)
	net, err := transport.Listen(transport.Config{Listen: at})
	if err != nil {
		m.b.Fatal(err)
	}
	manager, err := session.New(session.Config{Identity: id, Network: net, Resolver: where, Settings: s, Carriers: []*link.Kind{carrier}})
	if err != nil {
		m.b.Fatal(err)
	}
	where.Set(id.DID(), net.LocalAddr().String())
	m.ends = append(m.ends, func() { manager.Close(); net.Close() })
	return manager, id.DID()
}

// establish lets all others reach the hub, so many at a time, and waits until
// both ends of each session are established.
func (m *meeting) establish(atATime int) {
	ctx, cancel := context.WithTimeout(m.b.Context(), 2*time.Minute)
	defer cancel()
	m.reach(ctx, atATime)
	m.await(ctx)
}

// reach establishes the others' ends.
func (m *meeting) reach(ctx context.Context, atATime int) {
	var wg sync.WaitGroup
	turn := make(chan *session.Manager)
	for range atATime {
		wg.Go(func() {
			for other := range turn {
				if _, err := other.Establish(ctx, m.hubDID); err != nil {
					m.b.Error(err)
				}
			}
		})
	}
	for _, other := range m.others {
		turn <- other
	}
	close(turn)
	wg.Wait()
}

// await waits for the hub's ends.
func (m *meeting) await(ctx context.Context) {
	for _, s := range m.hub.Sessions() {
		for s.State() != session.Established && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	if ctx.Err() != nil {
		m.b.Fatal("the hub has sessions that are not established")
	}
}

func (m *meeting) close() {
	var wg sync.WaitGroup
	for _, end := range m.ends[1:] {
		wg.Go(end)
	}
	wg.Wait()
	m.ends[0]()
}

// overBoth runs a benchmark over QUIC and over μTCP, both ends on one core. One
// run does n handshakes; what is printed is how many are done a second and what
// one costs both ends together.
func overBoth(b *testing.B, n int, prepare func(b *testing.B, carrier *link.Kind) (run, end func())) {
	for _, c := range []struct {
		name    string
		carrier *link.Kind
	}{{"QUIC", link.KindDirect}, {"UTCP", link.KindUTCP}} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			var took, cpu time.Duration
			done := 0
			for b.Loop() {
				run, end := prepare(b, c.carrier)
				time.Sleep(200 * time.Millisecond) // the nodes' goroutines find their places
				runtime.GC()                       // what making the nodes has left
				began, before := time.Now(), cpuTime()
				run()
				took, cpu, done = took+time.Since(began), cpu+cpuTime()-before, done+n
				end()
			}
			b.ReportMetric(float64(done)/took.Seconds(), "handshakes/s")
			b.ReportMetric(cpu.Seconds()*1e3/float64(done), "cpu-ms/handshake")
		})
	}
}

// BenchmarkEstablish is a session from nothing to established at both ends, with
// a stranger's first contact: proof of the address (Retry), connection, fetching
// of the keys, full handshake, and on QUIC the proof of the direct path.
func BenchmarkEstablish(b *testing.B) {
	const n = 200
	overBoth(b, n, func(b *testing.B, carrier *link.Kind) (run, end func()) {
		m := newMeeting(b, n, carrier, session.Settings{})
		return func() { m.establish(8) }, m.close
	})
}

// BenchmarkRotate prints how long a rotation of an established session takes on
// loopback and what it costs both ends together: a short handshake in three
// records, and new keys in use at both. Rotations are answered a few times a
// second at most, hence the pauses.
func BenchmarkRotate(b *testing.B) {
	m := newMeeting(b, 1, link.KindDirect, session.Settings{})
	defer m.close()
	m.establish(1)
	s := m.hub.Sessions()[0]
	var took, cpu time.Duration
	done := 0
	for b.Loop() {
		for range 10 {
			time.Sleep(300 * time.Millisecond)
			began, before := time.Now(), cpuTime()
			if err := s.Rotate(b.Context()); err != nil {
				b.Fatal(err)
			}
			took, cpu, done = took+time.Since(began), cpu+cpuTime()-before, done+1
		}
	}
	b.ReportMetric(took.Seconds()*1e3/float64(done), "ms/rotation")
	b.ReportMetric(cpu.Seconds()*1e3/float64(done), "cpu-ms/rotation")
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
