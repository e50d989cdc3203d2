package datapath

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
	"github.com/libertaria-project/l2tun/test/tuntest"
	"github.com/libertaria-project/l2tun/tun"
)

// A side is one node's packet path with one peer on it.
type side struct {
	dev  *tuntest.Channel
	data *Datapath
	peer *Peer
	sink *sinkLog
	e    *record.Epoch
	path *pipe // carries what this side sends to the other's Records
}

// sinkLog keeps what the plane tells its session.
type sinkLog struct {
	mu      sync.Mutex
	frames  [][]byte
	opened  int
	waiting int
	failed  int
}

func (s *sinkLog) Frame(_ link.Path, _ *record.Epoch, f []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames = append(s.frames, append([]byte(nil), f...))
}
func (s *sinkLog) Opened(link.Path, *record.Epoch) { s.mu.Lock(); s.opened++; s.mu.Unlock() }
func (s *sinkLog) Waiting()                        { s.mu.Lock(); s.waiting++; s.mu.Unlock() }
func (s *sinkLog) Moved(link.Path)                 {}
func (s *sinkLog) Came()                           {}
func (s *sinkLog) Sent()                           {}
func (s *sinkLog) Failed()                         { s.mu.Lock(); s.failed++; s.mu.Unlock() }

// told is how often the session heard that packets wait, and of a first record.
func (s *sinkLog) told() (waiting, opened int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting, s.opened
}

// A pipe is a path that hands records to the other side at once.
type pipe struct {
	carrier *link.Kind
	room    int
	to      func(link.Path, [][]byte)
	mu      sync.Mutex
	sent    [][]byte
}

func (p *pipe) Kind() *link.Kind       { return p.carrier }
func (p *pipe) Local() netip.AddrPort  { return netip.AddrPort{} }
func (p *pipe) Remote() netip.AddrPort { return netip.AddrPort{} }
func (p *pipe) Room() int              { return p.room }
func (p *pipe) RTT() time.Duration     { return 0 }
func (p *pipe) Send(b *wire.Batch) (int, error) {
	p.mu.Lock()
	for i := range b.Len() {
		p.sent = append(p.sent, append([]byte(nil), b.At(i)...))
	}
	p.mu.Unlock()
	if p.to != nil {
		p.to(p, b.Slices())
	}
	return b.Len(), nil
}

var limits = link.QueueLimits{Bytes: 1 << 20, Packets: 256, Age: 30 * time.Second}

var (
	addrA = netip.MustParseAddr("10.0.0.1")
	addrB = netip.MustParseAddr("10.0.0.2")
)

// newPair joins two sides; B's peer on A owns addrB and the other way round.
func newPair(t testing.TB, room int) (a, b *side) {
	t.Helper()
	da, db := tuntest.NewChannel(1024), tuntest.NewChannel(1024)
	a, b = newPairOn(t, room, da, db)
	a.dev, b.dev = da, db
	return a, b
}

// newPairOn states to each side whether the other's device takes partial
// checksums, as the handshake does.
func newPairOn(t testing.TB, room int, da, db tun.Interface) (a, b *side) {
	t.Helper()
	ida, idb := wire.MakeRecordID([7]byte{1}), wire.MakeRecordID([7]byte{2})
	a, b = newSide(t, da, addrB, record.Keys{Number: 1, Cipher: wire.AES256GCM, Send: [32]byte{1}, Recv: [32]byte{2}, SendID: idb, RecvID: ida, Partial: tun.Offload(db), Circuits: true}),
		newSide(t, db, addrA, record.Keys{Number: 1, Cipher: wire.AES256GCM, Send: [32]byte{2}, Recv: [32]byte{1}, SendID: ida, RecvID: idb, Partial: tun.Offload(da), Circuits: true})
	a.owns(t, addrA, addrA6)
	b.owns(t, addrB, addrB6)
	a.path, b.path = &pipe{carrier: link.KindDatagram, room: room, to: b.data.Records}, &pipe{carrier: link.KindDatagram, room: room, to: a.data.Records}
	return a, b
}

// owns makes addresses those of the side's node.
func (s *side) owns(t testing.TB, addrs ...netip.Addr) {
	t.Helper()
	var all []netip.Prefix
	for _, a := range addrs {
		all = append(all, netip.PrefixFrom(a, a.BitLen()))
	}
	if err := s.data.Owners().SetOwn(all); err != nil {
		t.Fatal(err)
	}
}

func newSide(t testing.TB, dev tun.Interface, owns netip.Addr, k record.Keys) *side {
	t.Helper()
	s := &side{sink: new(sinkLog), data: New(dev)}
	s.peer = s.data.NewPeer(limits, s.sink)
	if err := s.data.Owners().Routes().Insert(netip.PrefixFrom(owns, 32), s.peer); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.e, err = record.New(k); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.data.Outbound() }()
	t.Cleanup(func() { dev.Close(); <-done })
	return s
}

// up installs the epoch and uses it.
func (s *side) up(t testing.TB, hold bool) {
	t.Helper()
	if err := s.peer.Install(s.e, hold); err != nil {
		t.Fatal(err)
	}
	s.peer.Use(s.e, s.path)
}

// packet is an IPv4 packet of n bytes, numbered.
func packet(src, dst netip.Addr, n int, number uint32) []byte {
	b := make([]byte, n)
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	if n >= 24 {
		binary.BigEndian.PutUint32(b[20:], number)
	}
	return b
}

// next returns the next packet written to the device.
func (s *side) next(t testing.TB) []byte {
	t.Helper()
	select {
	case b := <-s.dev.Written():
		return b
	case <-time.After(30 * time.Second):
		t.Fatalf("nothing was written; drops %v, stray %v", s.peer.Traffic().Drops(), s.data.stray.Drops())
		return nil
	}
}
