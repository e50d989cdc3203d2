//go:build faults

package quicnet

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/records"
)

// party is a node with a session manager.
type party struct {
	*node
	m  *session.Manager
	id *did.Identity
}

// A network is a node as sessions see it.
type network struct{ *node }

func (n network) Direct(remote netip.AddrPort) link.Direct { return n.sock.Direct(remote) }

func (n network) Dial(ctx context.Context, l wire.Link, remote netip.AddrPort) (link.Conn, error) {
	if l != wire.LinkQUIC {
		return nil, link.ErrOff
	}
	return n.node.Dial(ctx, remote)
}

func (n network) Resolve(_ context.Context, endpoint string) ([]netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(endpoint)
	return []netip.AddrPort{a}, err
}

func newParty(t *testing.T, seed byte, where *did.Static) *party {
	t.Helper()
	id, err := did.NewIdentity(bytes.Repeat([]byte{seed}, did.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, loopback)
	m, err := session.New(session.Config{Identity: id, Network: network{n}, Resolver: where})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &party{n, m, id}
}

// makePeers makes two parties peers of each other; p dials.
func (p *party) makePeers(t *testing.T, q *party, where *did.Static) (*session.Session, *session.Session) {
	t.Helper()
	where.Set(q.id.DID(), q.LocalAddr().String())
	from, err := q.m.Add(session.Peer{DID: p.id.DID()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	to, err := p.m.Establish(ctx, q.id.DID())
	if err != nil {
		t.Fatal(err)
	}
	return to, from
}

// hoard fills the windows of a connection with frames of 128 bytes that leave the
// beginning of their stream out.
func hoard(q *rawQUIC) {
	for offset := 1; offset+128 <= min(acceptStream, acceptConn); offset += 128 {
		f := binary.BigEndian.AppendUint32([]byte{0x0e, 0}, uint32(offset)|0x80000000) // of stream 0, with offset and length
		f = binary.BigEndian.AppendUint16(f, 128|0x4000)
		q.send(3, append(f, make([]byte, 128)...))
	}
}

// hoardersTarget names the node to attack to the process that attacks.
const hoardersTarget = "L2TUN_TEST_HOARDERS_TARGET"

// TestHoarders is the attacker of the test below, a process of its own so that the
// node's memory is measured alone: 180 connections from six addresses.
func TestHoarders(t *testing.T) {
	target := os.Getenv(hoardersTarget)
	if target == "" {
		return // it is no test by itself
	}
	to := netip.MustParseAddrPort(target)
	var refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for range 30 {
				q := rawDialFrom(t, netip.AddrFrom4([4]byte{127, 0, 0, byte(10 + i)}), to, []byte{0x20, 4, 0x80, 0, 0xFF, 0xFF}) // takes datagrams
				if q.closed == nil {
					hoard(q)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	fmt.Printf("refused %d\n", refused.Load())
	time.Sleep(time.Second)
}

// TestFaultHoardersAreBounded is the attack of the review on QUIC: connections that
// never end their first message and have the node hold frames, from six addresses,
// and honest peers beside them.
func TestFaultHoardersAreBounded(t *testing.T) {
	const bound = 16 << 20
	const programsGOGC = 25 // cmd/l2tun, collectEarly
	defer debug.SetGCPercent(debug.SetGCPercent(programsGOGC))
	where := new(did.Static)
	node, peer, late := newParty(t, 1, where), newParty(t, 2, where), newParty(t, 3, where)
	toNode, _ := peer.makePeers(t, node, where)

	heap := faults.WatchHeap()
	time.Sleep(500 * time.Millisecond)
	heap.End()
	faults.Control(t, "S2", "quiet: %s", heap)

	attack := exec.Command(os.Args[0], "-test.run=^TestHoarders$", "-test.v")
	attack.Env = append(os.Environ(), hoardersTarget+"="+node.LocalAddr().String())
	heap = faults.WatchHeap()
	done := make(chan error, 1)
	var out []byte
	go func() {
		var err error
		out, err = attack.CombinedOutput()
		done <- err
	}()
	most, slowest := 0, time.Duration(0)
	var took time.Duration
	for ended := false; !ended; {
		select {
		case err := <-done:
			if ended = true; err != nil {
				t.Fatalf("the attacker: %v: %s", err, out)
			}
		case <-time.After(20 * time.Millisecond):
		}
		if most = max(most, placesOf(node.admission.unproven)); most >= 40 && took == 0 {
			start := time.Now()
			late.makePeers(t, node, where) // a newcomer gets in meanwhile
			took = time.Since(start)
		}
		slowest = max(slowest, pinged(t, toNode))
	}
	heap.End()
	if most < 40 || most > 6*maxUnprovenOne+1 {
		t.Errorf("%d connections of strangers at once", most)
	}
	if each := int(heap.Live) / max(most, 1); each > quicState+held(acceptConn) {
		t.Errorf("a stranger holds %d bytes", each) // spec/behaviour.md 6.5 says how many at most
	}
	if heap.Peak > bound || heap.Resident > bound {
		t.Errorf("%s", heap)
	}
	if took == 0 || took > 3*time.Second || slowest > time.Second {
		t.Errorf("a newcomer took %v, a ping of the peer %v", took, slowest)
	}
	var refused int
	for line := range strings.Lines(string(out)) {
		fmt.Sscanf(line, "refused %d", &refused)
	}
	faults.Report(t, "S2", heap.Peak <= bound && heap.Resident <= bound && took <= 3*time.Second,
		"180 connections from 6 addresses: %d refused, %d at most at once; %s; a newcomer's session after %v, the slowest ping of the peer %v",
		refused, most, heap, took.Round(time.Millisecond), slowest.Round(time.Millisecond))
	records.Eventually(t, 8*time.Second, "all places are free", func() bool { return placesOf(node.admission.unproven) == 0 })
}

// pinged returns how long a ping takes.
func pinged(t *testing.T, s *session.Session) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	start := time.Now()
	if _, err := s.Ping(ctx); err != nil {
		t.Fatal("the peer's session:", err)
	}
	return time.Since(start)
}
