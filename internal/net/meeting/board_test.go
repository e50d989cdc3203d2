package meeting

import (
	"bytes"
	"crypto/rand"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/internal/net/link"
	"github.com/libertaria-project/l2tun/internal/proto/nat"
	"github.com/libertaria-project/l2tun/internal/proto/paths"
	"github.com/libertaria-project/l2tun/internal/proto/sleep"
	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A session notes what the board tells it, as one that meets its peer and as one with a
// hub.
type session struct {
	up     map[paths.Hub]bool
	state  paths.HubState // of the newest hub
	news   []News
	frames [][]byte

	awaited int
}

func (s *session) HubChanged(h paths.Hub, x paths.HubState) { s.up[h], s.state = x.Up, x }
func (s *session) HubMoved(paths.Hub)                       {}
func (s *session) Brought(n News)                           { s.news = append(s.news, n) }
func (s *session) SendFrame(f []byte)                       { s.frames = append(s.frames, bytes.Clone(f)) }
func (s *session) Look()                                    {}
func (s *session) Suspect()                                 {}
func (s *session) Awaited()                                 { s.awaited++ }

var self, hubDID, peer, stranger = DID{1}, DID{2}, DID{3}, DID{4}

func board(own ...netip.AddrPort) (b *Board, guest *session, hub *session, seat *Seat) {
	b = New(Config{Self: self, Rand: rand.Reader, Addresses: Addresses{Own: func() []netip.AddrPort { return own }}})
	guest, hub = &session{up: make(map[paths.Hub]bool)}, &session{up: make(map[paths.Hub]bool)}
	seat = b.Join(peer, guest)
	b.Join(hubDID, hub)
	b.Up(hubDID, hub, nil, 20*time.Millisecond)
	return b, guest, hub, seat
}

// A hub is known to all sessions but its own, and from nobody else is a frame taken.
func TestFramesOfHubsAloneAreTaken(t *testing.T) {
	b, guest, hub, _ := board()
	if !guest.up[1] || len(hub.up) > 0 {
		t.Fatalf("%v and %v", guest.up, hub.up)
	}
	if s := guest.state; s.Theirs != sleep.Rank(peer, hubDID) || s.Ours != sleep.Rank(self, hubDID) {
		t.Errorf("homes of the two are ranked %+v", s)
	}
	m := wire.Meet{ID: 7, Other: peer, Label: wire.MakeRecordID([7]byte{1}), Flags: wire.MeetFromHub}
	if b.Frame(stranger, m.Append(nil)) || !b.Frame(hubDID, m.Append(nil)) || len(guest.news) != 1 {
		t.Fatalf("%+v", guest.news)
	}
	if n := guest.news[0]; n.Step != paths.Asked || n.ID != 7 || !n.Bare || n.Hub != 1 {
		t.Errorf("%+v", n)
	}
	if m.Flags = 0; b.Frame(hubDID, m.Append(nil)) {
		t.Error("a MEET for this node as a hub was taken as an end's")
	}
	if b.Down(hubDID); guest.up[1] || b.Frame(hubDID, m.Append(nil)) {
		t.Error("a hub that is away is heard")
	}
}

// Whoever is no peer of this node hears what everybody hears of a node that is away.
func TestStrangersAreNotMet(t *testing.T) {
	b, guest, hub, _ := board()
	m := wire.Meet{ID: 7, Other: stranger, Label: wire.MakeRecordID([7]byte{1}), Flags: wire.MeetFromHub}
	if !b.Frame(hubDID, m.Append(nil)) || len(guest.news) > 0 || len(hub.frames) != 1 {
		t.Fatalf("%v, %d frames", guest.news, len(hub.frames))
	}
	if n, ok := wire.ParseNotMet(hub.frames[0]); !ok || n.ID != 7 || n.Caller != stranger || n.Reason != wire.RefusalAbsent {
		t.Errorf("%+v", n)
	}
}

// NOT_MET and READY lead to the session whose meeting they name, by id, hub and caller;
// others are for a hub.
func TestStepsOfOtherMeetingsAreNotTaken(t *testing.T) {
	b, guest, _, seat := board()
	id, err := seat.Name(1)
	if err != nil {
		t.Fatal(err)
	}
	mine := wire.NotMet{ID: id, Caller: self, Reason: wire.RefusalAbsent}
	other := wire.NotMet{ID: id, Caller: peer, Reason: wire.RefusalAbsent}
	if b.Frame(hubDID, other.Append(nil)) || !b.Frame(hubDID, mine.Append(nil)) || len(guest.news) != 1 || guest.news[0].Step != paths.NotMet {
		t.Fatalf("%+v", guest.news)
	}
	if b.Frame(hubDID, wire.Ready{ID: id, Caller: peer}.Append(nil)) {
		t.Error("a READY of a meeting that there is not was taken")
	}
	if seat.Leave(); b.Frame(hubDID, mine.Append(nil)) {
		t.Error("a session that has left is told")
	}
}

// Candidates are where hubs see this node and its own addresses, private ones only
// inside the session; the peer's at this node's own address are left out, and one at which
// hubs see this node is behind the same NAT.
func TestCandidates(t *testing.T) {
	at := netip.MustParseAddrPort
	own, seen := at("192.168.1.2:4242"), at("198.51.100.1:4242")
	b, _, _, seat := board(own)
	b.Seen(hubDID, nat.Sighting{Remote: at("203.0.113.9:4242"), Local: own, Seen: seen})
	if c := seat.Candidates(false); len(c.All()) != 1 || c.All()[0].Addr != seen || c.All()[0].Kind != wire.CandidateSeen {
		t.Errorf("%+v", c.All())
	}
	if c := seat.Candidates(true); len(c.All()) != 2 {
		t.Errorf("%+v", c.All())
	}
	var told wire.Candidates
	told.Add(wire.Candidate{Addr: own, Kind: wire.CandidateOwn})
	told.Add(wire.Candidate{Addr: at("198.51.100.1:5000"), Kind: wire.CandidateSeen})
	told.Add(wire.Candidate{Addr: at("192.0.2.1:5000"), Kind: 200})
	if all := seat.Judge(told); len(all) != 1 || !all[0].Ours || all[0].Origin != paths.AtHub {
		t.Errorf("%+v", all)
	}
}

// tcpPath is one of TCP.
type tcpPath struct{ link.Path }

func (tcpPath) Kind() *link.Kind { return link.KindUTCP }

// Once the only hub is reached by TCP for long and was never by UDP, this node tells no
// candidates; one word by UDP says otherwise.
func TestNoUDPLeavesThisNetwork(t *testing.T) {
	b, _, hub, seat := board(netip.MustParseAddrPort("198.51.100.7:4242"))
	now := time.Now()
	told := func() int {
		c := seat.Candidates(false)
		return len(c.All())
	}
	if seat.NoUDP(now) || told() != 1 {
		t.Error("without a path UDP counts as blocked")
	}
	b.Up(hubDID, hub, tcpPath{}, 20*time.Millisecond)
	if seat.NoUDP(now.Add(time.Second)) || !seat.NoUDP(now.Add(time.Minute)) {
		t.Error("it is blocked at once, or never")
	}
	b.hubs[0].tcpSince = now.Add(-time.Minute)
	if n := told(); n > 0 {
		t.Errorf("%d told", n)
	}
	b.Seen(hubDID, nat.Sighting{Seen: netip.MustParseAddrPort("192.0.2.1:5")})
	if seat.NoUDP(now.Add(time.Minute)) || told() == 0 {
		t.Error("UDP is blocked although the hub was reached by it")
	}
}

// A hub that is away is told once that a session waits for it, and others that are there
// are not; a seat that is given up waits no more.
func TestHubsThatAreAwayAreAwaited(t *testing.T) {
	b, _, hub, seat := board()
	seat.Await(true)
	if seat.Await(false); hub.awaited > 0 || b.Awaited() {
		t.Fatalf("a hub that is there is told %d times, awaited is %v", hub.awaited, b.Awaited())
	}
	b.Down(hubDID)
	for range 2 {
		seat.Await(true)
	}
	if hub.awaited != 1 || !b.Awaited() {
		t.Errorf("told %d times, awaited is %v", hub.awaited, b.Awaited())
	}
	if seat.Leave(); b.Awaited() {
		t.Error("awaited by a session that has left")
	}
}

// A hub that is reached over IPv6 says nothing of the NAT of IPv4. Where two peers see this
// node there is told as well; the word of one alone is not, nor are ports of a NAT that
// gives each remote another.
func TestCandidatesInTheFamilyThatNoHubSees(t *testing.T) {
	at := netip.MustParseAddrPort
	local4, local6, seen4 := at("192.168.1.2:4242"), at("[2001:db8::2]:4242"), at("198.51.100.1:4242")
	b, _, _, seat := board(local4, local6)
	told := func() (all []netip.AddrPort) {
		for c := seat.Candidates(false); len(all) < len(c.All()); {
			all = append(all, c.All()[len(all)].Addr)
		}
		return all
	}
	b.Seen(hubDID, nat.Sighting{Remote: at("[2001:db8:9::9]:4242"), Local: local6, Seen: local6})
	if all := told(); len(all) != 1 || all[0] != local6 {
		t.Fatalf("before anybody sees it: %v", all)
	}
	b.Seen(DID{10}, nat.Sighting{Remote: at("203.0.113.9:4242"), Local: local4, Seen: seen4})
	if all := told(); len(all) != 1 {
		t.Errorf("by the word of one peer: %v", all)
	}
	b.Seen(DID{11}, nat.Sighting{Remote: at("203.0.113.10:4242"), Local: local4, Seen: seen4})
	if all := told(); len(all) != 2 || all[0] != local6 || all[1] != seen4 {
		t.Errorf("where two peers see it: %v", all)
	}
	var theirs wire.Candidates
	theirs.Add(wire.Candidate{Addr: at("198.51.100.1:5000"), Kind: wire.CandidateSeen})
	if all := seat.Judge(theirs); len(all) != 1 || !all[0].Ours {
		t.Errorf("one behind the same NAT: %+v", all)
	}
	b.Seen(DID{10}, nat.Sighting{Remote: at("203.0.113.9:4242"), Local: local4, Seen: at("198.51.100.1:20001")})
	b.Seen(DID{11}, nat.Sighting{Remote: at("203.0.113.10:4242"), Local: local4, Seen: at("198.51.100.1:20002")})
	if all := told(); len(all) != 1 {
		t.Errorf("behind a symmetric NAT: %v", all)
	}
}

// What a hub says in one family does not end what it has said in the other, of addresses and
// of NATs.
func TestHubSeesThisNodeInBothFamilies(t *testing.T) {
	at := netip.MustParseAddrPort
	local4, local6, seen4 := at("192.168.1.2:4242"), at("[2001:db8::2]:4242"), at("198.51.100.1:20001")
	b, _, _, seat := board(local4, local6)
	see := func(hub DID, remote string, local, seen netip.AddrPort) {
		b.Seen(hub, nat.Sighting{Remote: at(remote), Local: local, Seen: seen})
	}
	see(hubDID, "203.0.113.9:4242", local4, seen4)
	see(hubDID, "[2001:db8:9::9]:4242", local6, local6)
	for _, want := range []wire.Candidate{{Addr: seen4, Kind: wire.CandidateSeen}, {Addr: local6, Kind: wire.CandidateSeen}} {
		if c := seat.Candidates(false); !slices.Contains(c.All(), want) {
			t.Errorf("%+v is not told: %+v", want, c.All())
		}
	}
	b.Join(stranger, &session{up: make(map[paths.Hub]bool)})
	see(stranger, "203.0.113.10:4242", local4, at("198.51.100.1:20002"))
	if v := b.verdict.Load(); v.IPv4 != nat.EndpointDependent || v.IPv6 != nat.None || !seat.Symmetric() {
		t.Errorf("NATs: %+v", v)
	}
}

// A spray is remembered from one session with a peer to the next, and no longer than the
// peer is one.
func TestSpraysAreRememberedOfPeers(t *testing.T) {
	b, guest, _, seat := board()
	now := time.Now()
	seat.Spray(now)
	seat.Leave()
	if at := b.Join(peer, guest).Sprayed(); !at.Equal(now) {
		t.Errorf("in the next session: %v", at)
	}
	b.Forget(peer)
	if len(b.sprayed) > 0 {
		t.Errorf("%v of none that is a peer", b.sprayed)
	}
}

// Hubs that come and go leave nothing, and a name stands for one hub only: what is still
// said to one that went reaches no other.
func TestHubsThatAreNoPeersAnyMoreAreForgotten(t *testing.T) {
	b, guest, _, seat := board()
	m := wire.Meet{ID: 7, Other: peer, Label: wire.MakeRecordID([7]byte{1}), Flags: wire.MeetFromHub}
	b.Frame(hubDID, m.Append(nil))
	second := &session{up: make(map[paths.Hub]bool)}
	b.Up(DID{5}, second, nil, time.Millisecond)
	if b.Forget(hubDID); len(b.hubs) != 2 || len(seat.MetBy()) != 1 {
		t.Fatal("a hub that can be asked was forgotten")
	}
	b.Down(hubDID)
	b.Forget(hubDID)
	if len(b.hubs) != 1 || len(b.metBy) != 0 || guest.up[1] {
		t.Fatalf("%d hubs, peers met by %v, told of %v", len(b.hubs), b.metBy, guest.up)
	}
	for range 1000 {
		b.Up(hubDID, second, nil, time.Millisecond)
		b.Down(hubDID)
		b.Forget(hubDID)
	}
	b.Up(hubDID, second, nil, time.Millisecond)
	if len(b.hubs) != 2 || b.at(1) != nil || !guest.up[b.named] {
		t.Errorf("%d hubs, newest %d, told of %v", len(b.hubs), b.named, guest.up)
	}
	seat.Send(1, []byte{1})
	if len(second.frames) != 0 {
		t.Error("a frame to a hub that went reached another")
	}
	if d, ok := b.HubDID(2); !ok || d != (DID{5}) {
		t.Errorf("hub 2 is %v", d)
	}
}
