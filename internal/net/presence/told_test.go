package presence

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/documents"
	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/net/meeting"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/record"
	"github.com/libertaria-project/l2tun/internal/proto/relay"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

var ours, theirs = netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")

// A path counts what is sent on it.
type path struct {
	kind *link.Kind
	sent int
}

func (p *path) Kind() *link.Kind       { return p.kind }
func (p *path) Local() netip.AddrPort  { return ours }
func (p *path) Remote() netip.AddrPort { return theirs }
func (p *path) Room() int              { return 1400 }
func (p *path) RTT() time.Duration     { return 0 }
func (p *path) Send(b *wire.Batch) (int, error) {
	p.sent += len(b.Slices())
	return len(b.Slices()), nil
}

// A world is everything around a Told: it notes what that is told.
type world struct {
	link.Opener
	told  *Told
	epoch *record.Epoch
	using link.Path
	aside link.Path // nil: the peer has no endpoint in the other family
	nonce uint64
	frame bool // what board and relay say of a frame
	heard []string

	standing relay.Standing // that the hub was told last
}

func (w *world) note(format string, args ...any) {
	w.heard = append(w.heard, fmt.Sprintf(format, args...))
}

func (w *world) InUse() *record.Epoch                { return w.epoch }
func (w *world) Using() link.Path                    { return w.using }
func (w *world) Aside(time.Time) link.Path           { return w.aside }
func (w *world) NewNonce() uint64                    { w.nonce++; return w.nonce }
func (w *world) Told(c wire.Candidates, _ time.Time) { w.note("%d candidates", len(c.All())) }
func (w *world) MeasureDepth(remote netip.AddrPort)  { w.note("measure %v", remote) }

type board struct{ w *world }

func (b board) Up(_ meeting.DID, _ meeting.Host, _ link.Path, rtt time.Duration) {
	b.w.note("board up %v", rtt)
}
func (b board) Down(meeting.DID)                    { b.w.note("board down") }
func (b board) Seen(_ meeting.DID, at nat.Sighting) { b.w.note("seen at %v", at.Seen) }
func (b board) Frame(meeting.DID, []byte) bool      { b.w.note("board frame"); return b.w.frame }

type homes struct{ w *world }

func (h homes) Hub(_ sleep.DID, up bool)          { h.w.note("homes %v", up) }
func (h homes) Back(sleep.DID)                    { h.w.note("homes back") }
func (h homes) Answered(_ sleep.DID, a wire.Home) { h.w.note("answered %v", a.Lifetime) }

type hub struct{ w *world }

func (h hub) Up(_ relay.DID, s relay.Session, _ link.Path) {
	h.w.note("relay up %d %v", s.Incarnation, s.RTT)
	h.w.standing = s.Standing
}
func (h hub) Path(relay.DID, link.Path)               { h.w.note("relay path") }
func (h hub) Measured(_ relay.DID, rtt time.Duration) { h.w.note("relay rtt %v", rtt) }
func (h hub) Ended(relay.DID)                         { h.w.note("relay ended") }
func (h hub) Frame(relay.DID, []byte) bool            { h.w.note("relay frame"); return h.w.frame }

func start(t *testing.T) *world {
	t.Helper()
	e, err := record.New(record.Keys{Number: 1, Circuits: true, Cipher: wire.ChaCha20Poly1305, Send: [32]byte{1}, Recv: [32]byte{2},
		SendID: wire.MakeRecordID([wire.RecordIDSize]byte{1}), RecvID: wire.MakeRecordID([wire.RecordIDSize]byte{2})})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{epoch: e, using: &path{kind: link.KindDirect}}
	w.told = New(Config{Board: board{w}, Homes: homes{w}, Relay: hub{w}, Opener: w, Keys: w, Paths: w})
	return w
}

// want checks what has been told since it was asked last.
func (w *world) want(t *testing.T, heard ...string) {
	t.Helper()
	if !slices.Equal(w.heard, heard) {
		t.Errorf("heard %q, want %q", w.heard, heard)
	}
	w.heard = nil
}

// What has not changed is not told again; another round trip, path or incarnation is.
func TestOnlyWhatHasChangedIsTold(t *testing.T) {
	w := start(t)
	up, sum := Facts{Up: true, Hub: true, Incarnation: 3}, paths.Summary{RTT: time.Second, Seen: ours}
	w.told.Tell(Facts{Hub: true}, sum, time.Time{})
	w.want(t, "seen at 192.0.2.1:1")
	w.told.Tell(up, sum, time.Time{})
	w.want(t, "relay up 3 1s", "board up 1s", "homes true", "measure 192.0.2.2:2")
	w.told.Tell(up, sum, time.Time{})
	w.want(t)
	sum.RTT = time.Minute
	w.told.Tell(up, sum, time.Time{})
	w.want(t, "relay rtt 1m0s", "board up 1m0s")
	w.using = &path{kind: link.KindDirect}
	w.told.Tell(up, sum, time.Time{})
	w.want(t, "relay path", "board up 1m0s", "seen at 192.0.2.1:1")
	sum.Seen = theirs
	w.told.Tell(up, sum, time.Time{})
	w.want(t, "seen at 192.0.2.2:2")
	up.Incarnation = 4
	w.told.Tell(up, sum, time.Time{})
	w.want(t, "relay up 4 1m0s", "board down", "homes false")
	w.told.Tell(up, sum, time.Time{})
	w.want(t, "board up 1m0s", "homes true", "measure 192.0.2.2:2")
	w.told.Tell(Facts{Hub: true, Incarnation: 4}, sum, time.Time{})
	w.want(t, "relay ended", "board down", "homes false")
}

// Homes hear when the path to a hub is back after an outage, in which the hub may have
// ended its session: not of another path, and not of a hub that is new.
func TestHomesHearOfTheEndOfAnOutage(t *testing.T) {
	w, up := start(t), Facts{Up: true, Hub: true, Incarnation: 3}
	before := w.using
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.want(t, "relay up 3 0s", "board up 0s", "homes true", "measure 192.0.2.2:2")
	w.using = nil
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.want(t, "relay path", "board up 0s")
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.want(t)
	w.using = before
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.want(t, "relay path", "board up 0s", "homes back")
	w.using = &path{kind: link.KindDirect}
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.want(t, "relay path", "board up 0s")
}

// A peer through a hub is no hub, and what it sees of a circuit is no address; one that
// this node does not meet others by is not for the board.
func TestBoardHearsOfDirectHubsAlone(t *testing.T) {
	w := start(t)
	w.told.Tell(Facts{Up: true, Hub: true}, paths.Summary{Via: 1, Seen: ours}, time.Time{})
	w.want(t, "relay up 0 0s")
	w.told.Tell(Facts{Up: true}, paths.Summary{}, time.Time{})
	w.want(t)
	w.told.Tell(Facts{Up: true, Hub: true}, paths.Summary{}, time.Time{})
	w.want(t, "board up 0s", "homes true", "measure 192.0.2.2:2")
	w.epoch = nil
	w.told.Tell(Facts{Up: true, Hub: true}, paths.Summary{}, time.Time{})
	w.want(t, "relay ended", "board down", "homes false")
}

// An owner of networks notes what it is told.
type owner struct{ w *world }

func (o owner) Up(_ documents.Peer, capable bool)   { o.w.note("owner up %v", capable) }
func (o owner) Ended(documents.Peer)                { o.w.note("owner ended") }
func (o owner) Heard(_ documents.Peer, n wire.News) { o.w.note("owner heard %d", n.Head) }
func (o owner) Asked(documents.Peer, wire.News) (context.Context, documents.Answer) {
	panic("not here")
}

// The owner of networks hears of a session once, of another incarnation as of another
// session, and of NEWS while there is one. A member has another standing at a hub than a peer
// of the config.
func TestOwnerOfNetworksHearsOfSessions(t *testing.T) {
	w := start(t)
	w.told = New(Config{Relay: hub{w}, Owner: owner{w}, Member: true, Board: board{w}, Homes: homes{w}, Keys: w, Paths: w})
	news := wire.News{Network: [32]byte{1}, Head: 7}.Append(nil, wire.FrameNews)
	if !w.told.News(news) || w.told.News(news[1:]) {
		t.Error("NEWS")
	}
	w.want(t)
	up := Facts{Up: true, Incarnation: 3}
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.want(t, "owner up false", "relay up 3 0s")
	if w.standing != relay.Member {
		t.Errorf("standing %v", w.standing)
	}
	w.told.News(news)
	w.want(t, "owner heard 7")
	up.Incarnation = 4
	w.told.Tell(up, paths.Summary{}, time.Time{})
	w.want(t, "owner ended", "owner up false", "relay up 4 0s")
	w.told.Tell(Facts{Incarnation: 4}, paths.Summary{}, time.Time{})
	w.want(t, "owner ended", "relay ended")
}

// Frames go to whom they are for: candidates to the paths, the HOME of a hub to the
// homes, and the rest to the board and then to this node as a hub.
func TestFramesGoToWhomTheyAreFor(t *testing.T) {
	w, now := start(t), time.Now()
	var c wire.Candidates
	if !w.told.Frame(wire.FrameCandidates, c.Append(nil), now) || w.told.Frame(wire.FrameCandidates, []byte{wire.FrameCandidates}, now) {
		t.Error("candidates")
	}
	w.want(t, "0 candidates")
	home := wire.Home{Answer: true, Lifetime: time.Minute}.Append(nil)
	if w.told.Frame(wire.FrameHome, home, now) {
		t.Error("the HOME of a peer that is no hub")
	}
	w.want(t, "board frame", "relay frame")
	w.told.Tell(Facts{Up: true, Hub: true}, paths.Summary{}, time.Time{})
	w.heard = nil
	if !w.told.Frame(wire.FrameHome, home, now) {
		t.Error("the HOME of a hub")
	}
	w.want(t, "answered 1m0s")
	if w.frame = true; !w.told.Frame(wire.FrameMeet, []byte{wire.FrameMeet}, now) {
		t.Error("a frame for the board")
	}
	w.want(t, "board frame")
	w.told.c.Relay, w.frame = nil, false
	if w.told.Frame(wire.FrameMeet, []byte{wire.FrameMeet}, now) {
		t.Error("a frame for nobody")
	}
	w.want(t, "board frame")
}

// The echo of a look says where the peer sees this node: once, and by the path of the look.
func TestLookIsAnsweredOnceByItsPath(t *testing.T) {
	w := start(t)
	p := w.using.(*path)
	echo := func(nonce uint64) []byte { return wire.AppendEcho(nil, wire.Echo{Nonce: nonce, Seen: theirs}) }
	if w.told.Echo(p, echo(0)) {
		t.Error("answered without a look")
	}
	w.told.Look(time.Time{})
	if p.sent != 1 {
		t.Errorf("%d records", p.sent)
	}
	if w.told.Echo(new(path), echo(1)) || w.told.Echo(p, echo(2)) || w.told.Echo(p, echo(1)[1:]) {
		t.Error("answered by another path, another nonce or no echo")
	}
	w.want(t)
	if !w.told.Echo(p, echo(1)) || w.told.Echo(p, echo(1)) {
		t.Error("not answered once")
	}
	w.want(t, "seen at 192.0.2.2:2")
}

// A look asks in the other family too, with a record before that on the path in use, and
// each answer counts by its own path alone. A hub that comes up is asked there at once.
func TestLookAsksInBothFamilies(t *testing.T) {
	w := start(t)
	p, aside := w.using.(*path), &path{kind: link.KindDirect}
	w.aside = aside
	echo := func(nonce uint64) []byte { return wire.AppendEcho(nil, wire.Echo{Nonce: nonce, Seen: theirs}) }
	w.told.Tell(Facts{Up: true, Hub: true}, paths.Summary{}, time.Time{})
	w.heard = nil
	if aside.sent != 1 || p.sent != 0 || !w.told.Echo(aside, echo(1)) {
		t.Errorf("%d records aside and %d on the path in use as the hub came up", aside.sent, p.sent)
	}
	w.told.Tell(Facts{Up: true, Hub: true}, paths.Summary{RTT: time.Second}, time.Time{})
	w.heard = nil
	if w.told.Look(time.Time{}); aside.sent != 2 || p.sent != 1 {
		t.Errorf("%d records aside and %d on the path in use after a look", aside.sent, p.sent)
	}
	if w.told.Echo(p, echo(2)) || w.told.Echo(aside, echo(3)) {
		t.Error("answered by the path of the other question")
	}
	w.want(t)
	if !w.told.Echo(p, echo(3)) || !w.told.Echo(aside, echo(2)) || w.told.Echo(aside, echo(2)) {
		t.Error("not answered once each")
	}
	w.want(t, "seen at 192.0.2.2:2", "seen at 192.0.2.2:2")
}

// Only a path of UDP is looked through, and measured.
func TestLookNeedsUDPAndKeys(t *testing.T) {
	w := start(t)
	tcp := &path{kind: link.KindUTCP}
	w.using, w.aside = tcp, &path{kind: link.KindDirect}
	w.told.Tell(Facts{Up: true, Hub: true}, paths.Summary{Seen: ours}, time.Time{})
	w.want(t, "relay up 0 0s", "board up 0s", "homes true")
	w.told.Look(time.Time{})
	w.told.Measure()
	w.using, w.epoch = &path{kind: link.KindDirect}, nil
	w.told.Look(time.Time{})
	if w.want(t); tcp.sent != 0 || w.aside.(*path).sent != 0 || w.nonce != 0 {
		t.Errorf("%d records", tcp.sent)
	}
}
