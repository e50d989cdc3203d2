package frames

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A path keeps what is sent on it.
type path struct {
	room int
	recs [][]byte
}

func (p *path) Kind() *link.Kind       { return link.KindDirect }
func (p *path) Local() netip.AddrPort  { return netip.AddrPort{} }
func (p *path) Remote() netip.AddrPort { return netip.AddrPort{} }
func (p *path) Room() int              { return p.room }
func (p *path) RTT() time.Duration     { return 0 }
func (p *path) Send(b *wire.Batch) (int, error) {
	for _, r := range b.Slices() {
		p.recs = append(p.recs, bytes.Clone(r))
	}
	return len(b.Slices()), nil
}

// A session is the sink of a plane: it keeps what arrives.
type session struct {
	frames [][]byte
	opened int
}

func (s *session) Frame(_ link.Path, _ *record.Epoch, f []byte) {
	s.frames = append(s.frames, bytes.Clone(f))
}
func (s *session) Opened(link.Path, *record.Epoch) { s.opened++ }
func (s *session) Moved(link.Path)                 {}
func (s *session) Waiting()                        {}
func (s *session) Failed()                         {}
func (s *session) Came()                           {}
func (s *session) Sent()                           {}

// ends are the two ends of an epoch.
func ends(t *testing.T) (send, receive *record.Epoch) { return endsOf(t, false) }

// endsOf are those of nodes that take circuits, or do not.
func endsOf(t *testing.T, circuits bool) (send, receive *record.Epoch) {
	t.Helper()
	k := record.Keys{Number: 1, Circuits: circuits, Cipher: wire.ChaCha20Poly1305, SendID: wire.MakeRecordID([wire.RecordIDSize]byte{1}), RecvID: wire.MakeRecordID([wire.RecordIDSize]byte{2})}
	k.Send[0], k.Recv[0] = 1, 2
	send, err1 := record.New(k)
	k.Send, k.Recv, k.SendID, k.RecvID = k.Recv, k.Send, k.RecvID, k.SendID
	receive, err2 := record.New(k)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return send, receive
}

func large() []byte { return append([]byte{wire.FrameHandshake}, bytes.Repeat([]byte{7}, 1500)...) }

// SPEC section 7.3: a frame that a path has no room for leaves in two records, and
// arrives as one; the halves of a second try complete those of the first.
func TestAFrameTravelsWholeOrInHalves(t *testing.T) {
	send, receive := ends(t)
	planes, s := new(Planes), new(session)
	plane := planes.New(s, link.QueueLimits{})
	if err := plane.Install(receive, false); err != nil {
		t.Fatal(err)
	}
	wide, narrow := &path{room: 2000}, &path{room: 1200}
	if Send(send, wide, wire.SpaceControl, large()) != nil || Send(send, narrow, wire.SpaceControl, large()) != nil ||
		Send(send, narrow, wire.SpaceControl, large()) != nil {
		t.Fatal("not sent")
	}
	if len(wide.recs) != 1 || len(narrow.recs) != 4 {
		t.Fatalf("%d and %d records", len(wide.recs), len(narrow.recs))
	}
	planes.Records(wide, wide.recs)
	planes.Records(narrow, [][]byte{narrow.recs[1], narrow.recs[2]}) // a half of each try
	if len(s.frames) != 2 || !bytes.Equal(s.frames[0], large()) || !bytes.Equal(s.frames[1], large()) {
		t.Errorf("%d frames arrived", len(s.frames))
	}
	if s.opened != 1 {
		t.Errorf("the epoch was reported %d times", s.opened)
	}
	if Send(nil, wide, wire.SpaceControl, large()) != ErrNoPath || Send(send, nil, wire.SpaceControl, large()) != ErrNoPath {
		t.Error("sent without an epoch or without a path")
	}
}

// Records of a peer that is not proven wait for the release, packets are counted
// and dropped, and a removed epoch is unknown.
func TestAPlaneWithoutPackets(t *testing.T) {
	send, receive := ends(t)
	planes, s, p := new(Planes), new(session), &path{room: 2000}
	plane := planes.New(s, link.QueueLimits{})
	if err := plane.Install(receive, true); err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 20)
	packet[0], packet[3] = 0x45, 20
	if Send(send, p, wire.SpaceDirect, large()) != nil || Send(send, p, wire.SpaceDirect, packet) != nil {
		t.Fatal("not sent")
	}
	planes.Records(p, p.recs)
	if len(s.frames) > 0 || s.opened > 0 {
		t.Error("opened before the release")
	}
	plane.Release(receive)
	planes.Records(p, p.recs[:1]) // a copy
	if d := plane.Traffic().Drops(); len(s.frames) != 1 || d["device"] != 1 || d["replayed"] != 1 {
		t.Errorf("%d frames, %v", len(s.frames), d)
	}
	if plane.Remove(receive); planes.Known(receive.RecvID()) {
		t.Error("a removed epoch is known")
	}
}
