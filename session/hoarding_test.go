package session_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/handshake"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/session"
	"github.com/libertaria-project/l2tun/test/bubble"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/transport"
)

const (
	victim = iota // identities by number
	honest
	hoarder
)

func numbered(n int) *did.Identity {
	id, err := did.NewIdentity(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(9000+n)))
	if err != nil {
		panic(err)
	}
	return id
}

// TestVictim is no test: it is the node of the tests below, in a process of its own,
// so that its memory can be told from theirs. It says its address and lives until
// its input ends.
func TestVictim(t *testing.T) {
	if os.Getenv("L2TUN_TEST_VICTIM") == "" {
		t.Skip("run by TestAPeerCannotHoard and others")
	}
	network, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	m, err := session.New(session.Config{Identity: numbered(victim), Network: network, Resolver: new(did.Static)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, peer := range []int{honest, hoarder} {
		if _, err := m.Add(session.Peer{DID: numbered(peer).DID()}); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Printf("at %v\n", network.LocalAddr())
	io.Copy(io.Discard, os.Stdin)
}

// A victimNode is that process.
type victimNode struct {
	addr netip.AddrPort
	pid  int
}

func startVictim(t *testing.T) victimNode {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), "L2TUN_TEST_VICTIM=1")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "at "); ok {
			go io.Copy(io.Discard, out)
			return victimNode{netip.MustParseAddrPort(at), cmd.Process.Pid}
		}
	}
	t.Fatal("the victim does not start")
	return victimNode{}
}

// peak is the most anonymous memory in MiB that the node has had, read as often as
// the caller asks until stop.
func (v victimNode) watch(stop <-chan struct{}) (peak float64) {
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", v.pid))
		if err != nil {
			return peak
		}
		for line := range bytes.Lines(status) {
			var kib float64
			if n, _ := fmt.Sscanf(string(line), "RssAnon: %f kB", &kib); n == 1 {
				peak = max(peak, kib/1024)
			}
		}
		select {
		case <-stop:
			return peak
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// peakDuring is the peak while f runs.
func (v victimNode) peakDuring(f func()) float64 {
	stop, peak := make(chan struct{}), make(chan float64)
	go func() { peak <- v.watch(stop) }()
	f()
	close(stop)
	return <-peak
}

// visitor is the honest peer, established with the victim.
func (v victimNode) visitor(t *testing.T) (*session.Manager, *session.Session) {
	t.Helper()
	network, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	where := new(did.Static)
	where.Set(numbered(victim).DID(), v.addr.String())
	m, err := session.New(session.Config{Identity: numbered(honest), Network: network, Resolver: where})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(); network.Close() })
	if _, err := m.Add(session.Peer{DID: numbered(victim).DID()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, err := m.Establish(ctx, numbered(victim).DID())
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

// inert takes records and does nothing with them.
type inert struct{}

func (inert) Records(link.Path, [][]byte) {}
func (inert) Known(wire.RecordID) bool    { return false }
func (inert) Unreachable(netip.AddrPort)  {}

// hoard makes a connection, proves the peer on it, and fills streams that nobody
// has asked for.
func hoard(ctx context.Context, network *transport.Transport, to netip.AddrPort) (proven bool) {
	conn, err := network.Dial(ctx, wire.LinkUTCP, to)
	if err != nil || !prove(ctx, conn) {
		return false
	}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if st, err := conn.OpenStream(ctx); err == nil {
				st.SetDeadline(time.Now().Add(300 * time.Millisecond))
				st.Write(make([]byte, 256<<10))
			}
		})
	}
	wg.Wait()
	return true
}

// prove makes a whole handshake.
func prove(ctx context.Context, conn link.Conn) bool {
	st, err := conn.OpenStream(ctx)
	if err != nil {
		return false
	}
	st.SetDeadline(time.Now().Add(4 * time.Second))
	i, err := handshake.NewInitiator(handshake.Config{Identity: numbered(hoarder)}, numbered(victim).DID(), nil,
		wire.Params{RecordID: wire.MakeRecordID([7]byte{1}), MTU: 1400, Epoch: 1, Incarnation: 1})
	if err != nil {
		return false
	}
	out, err := i.Start(nil)
	for res := (*handshake.Result)(nil); err == nil; {
		if _, err = st.Write(out); err != nil || res != nil {
			break
		}
		head := make([]byte, wire.HandshakeHeaderSize)
		if _, err = io.ReadFull(st, head); err != nil {
			break
		}
		size, serr := wire.MessageSize(head)
		if serr != nil {
			return false
		}
		msg := append(head, make([]byte, size-len(head))...)
		if _, err = io.ReadFull(st, msg[len(head):]); err == nil {
			out, res, err = i.Read(nil, msg)
		}
	}
	link.Proven(conn)
	return err == nil
}

// SPEC 6.5: streams that begin neither a handshake nor messages are closed at once,
// however many there are.
func TestOtherStreamsAreRefusedAtOnce(t *testing.T) {
	v := startVictim(t)
	network, err := transport.Listen(transport.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0")})
	if err != nil {
		t.Fatal(err)
	}
	defer network.Close()
	network.Handle(inert{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := network.Dial(ctx, wire.LinkUTCP, v.addr)
	if err != nil || !prove(ctx, conn) {
		t.Fatal("no connection of the peer:", err)
	}
	begun := time.Now()
	for n := range 40 {
		st, err := conn.OpenStream(ctx)
		if err != nil {
			t.Fatal(n, err)
		}
		st.SetDeadline(time.Now().Add(2 * time.Second))
		st.Write(bytes.Repeat([]byte{byte(n)}, 1000))
		if _, err := st.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("stream %d: %v", n, err)
		}
		st.Close()
	}
	took := time.Since(begun)
	faults.Report(t, "S4", took <= 2*time.Second, "40 streams that begin neither a handshake nor messages: each closed, after %v in all", took.Round(time.Millisecond))
}

// SPEC 6.5: a configured peer that makes 200 connections, each with a whole handshake
// and 30 filled streams, costs the node no more than a constant.
func TestAPeerCannotHoard(t *testing.T) {
	if testing.Short() || bubble.Raced() {
		t.Skip("takes 10 s, and measures memory, of which the race detector has the most")
	}
	quiet := startVictim(t)
	quiet.visitor(t)
	control := quiet.peakDuring(func() { time.Sleep(time.Second) })

	v := startVictim(t)
	_, s := v.visitor(t)
	var proven atomic.Int32
	peak := v.peakDuring(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for w := range 10 {
			network, err := transport.Listen(transport.Config{Listen: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 8, byte(w), 1}), 0)})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { network.Close() })
			network.Handle(inert{})
			wg.Go(func() {
				for range 20 {
					if hoard(ctx, network, v.addr) {
						proven.Add(1)
					}
				}
			})
		}
		wg.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	_, err := s.Ping(ctx)
	alive := err == nil
	if proven.Load() < 8 || peak-control > 16 || !alive {
		t.Errorf("%d connections proved the peer; %.1f MiB at most, %.1f quiet; the honest peer's session is alive: %v", proven.Load(), peak, control, alive)
	}
	faults.Control(t, "S4", "the quiet node: %.1f MiB of anonymous memory at most", control)
	faults.Report(t, "S4", peak-control <= 16 && alive, "200 connections of a peer, %d of them proven, 30 streams filled on each: %.1f MiB of anonymous memory at most, %+.1f; the honest peer's session stays established",
		proven.Load(), peak, peak-control)
}
