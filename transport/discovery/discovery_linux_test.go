package discovery

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
	"github.com/libertaria-project/l2tun/test/lab"
)

// A seeker is one Discovery on a host, with what it found.
type seeker struct {
	*Discovery
	mu    sync.Mutex
	peers []Peer
	found map[Found]int
}

// seek starts node i on a host, listening on a port of its own, with peers that
// it wants. It is closed with the test.
func seek(t *testing.T, h *lab.Host, i int, peers []did.DID, methods ...Method) *seeker {
	t.Helper()
	s := &seeker{found: make(map[Found]int)}
	s.want(peers...)
	c := Config{Self: name(i), Methods: methods,
		Listen: netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(4000+i)),
		Peers: func(yield func(Peer) bool) {
			s.mu.Lock()
			peers := s.peers
			s.mu.Unlock()
			slices.Values(peers)(yield)
		},
		Found: func(f Found) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.found[f]++
		},
		Interfaces: func() (out []Interface, err error) {
			err = h.Do(func() (err error) { out, err = interfaces(); return err })
			return out, err
		},
	}
	err := h.Do(func() (err error) { s.Discovery, err = Start(c); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil { // once more is nothing
			t.Error(err)
		}
	})
	return s
}

func (s *seeker) want(peers ...did.DID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = nil
	for _, p := range peers {
		s.peers = append(s.peers, Peer{p, true})
	}
}

// finds waits for a peer and returns where it is.
func (s *seeker) finds(t *testing.T, within time.Duration, peer did.DID, family func(netip.Addr) bool) netip.AddrPort {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		for f := range s.found {
			if f.Peer == peer && family(f.Endpoint.Addr()) {
				s.mu.Unlock()
				return f.Endpoint
			}
		}
		s.mu.Unlock()
	}
	t.Fatalf("%s not found within %v", peer.Short(), within)
	return netip.AddrPort{}
}

func any6(a netip.Addr) bool { return a.Is6() }
func any4(a netip.Addr) bool { return a.Is4() }

func TestBothEndsFindEachOther(t *testing.T) {
	for m, family := range map[Method]func(netip.Addr) bool{Multicast: any6, Broadcast: any4} {
		t.Run(string(m), func(t *testing.T) {
			n := lab.Use(t, lab.Shape{})
			a := seek(t, n.A, 1, names(2, 9), m)
			b := seek(t, n.B, 2, names(1, 1), m)
			atB, atA := a.finds(t, 30*time.Second, name(2), family), b.finds(t, 30*time.Second, name(1), family)
			if atB.Port() != 4002 || atA.Port() != 4001 {
				t.Errorf("%v, %v", atA, atB)
			}
			if m == Broadcast && (atB.Addr() != n.B.IP4 || atA.Addr() != n.A.IP4) {
				t.Errorf("%v, %v", atA, atB)
			}
			if m == Multicast && (!atA.Addr().IsLinkLocalUnicast() || atA.Addr().Zone() == "") {
				t.Errorf("%v", atA)
			}
		})
	}
}

// Only one asks; the answer finds its way.
func TestWhoAsksIsAnswered(t *testing.T) {
	n := lab.Use(t, lab.Shape{})
	b := seek(t, n.B, 2, nil, Multicast, Broadcast)
	b.mu.Lock()
	b.peers = []Peer{{DID: name(1)}} // has a session, as far as B knows
	b.mu.Unlock()
	time.Sleep(1200 * time.Millisecond)
	a := seek(t, n.A, 1, names(2, 2), Multicast, Broadcast)
	a.finds(t, 30*time.Second, name(2), any6)
	a.finds(t, 30*time.Second, name(2), any4)
}

// Two nodes of one host share the port of questions, and find the third and
// each other.
func TestNodesOfOneHostDoNotDisturbEachOther(t *testing.T) {
	for m, family := range map[Method]func(netip.Addr) bool{Multicast: any6, Broadcast: any4} {
		t.Run(string(m), func(t *testing.T) {
			n := lab.Use(t, lab.Shape{})
			all := map[int]*seeker{}
			for i, h := range map[int]*lab.Host{1: n.A, 2: n.A, 3: n.B} {
				var others []did.DID
				for o := 1; o <= 3; o++ {
					if o != i {
						others = append(others, name(o))
					}
				}
				all[i] = seek(t, h, i, others, m)
			}
			for i, s := range all {
				for o := range all {
					if o == i {
						continue
					}
					if got := s.finds(t, 30*time.Second, name(o), family); got.Port() != uint16(4000+o) {
						t.Errorf("%d finds %d at %v", i, o, got)
					}
				}
			}
		})
	}
}

func TestStrangersFindNobody(t *testing.T) {
	n := lab.Use(t, lab.Shape{})
	a := seek(t, n.A, 1, names(2, 5), Multicast, Broadcast)
	b := seek(t, n.B, 7, names(1, 1), Multicast, Broadcast) // knows A, who does not know it
	time.Sleep(2500 * time.Millisecond)
	for _, s := range []*seeker{a, b} {
		s.mu.Lock()
		if len(s.found) > 0 {
			t.Errorf("%v", s.found)
		}
		s.mu.Unlock()
	}
}

// A router does not carry questions on.
// SPEC R-3.9-2, R-3.9-3.
func TestPeersBehindARouterAreNotFound(t *testing.T) {
	n := lab.Use(t, lab.Shape{Routed: true})
	a := seek(t, n.A, 1, names(2, 2), Multicast, Broadcast)
	seek(t, n.B, 2, names(1, 1), Multicast, Broadcast)
	time.Sleep(2500 * time.Millisecond)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.found) > 0 {
		t.Errorf("%v", a.found)
	}
	faults.Report(t, "D3", true, "nothing found across a router")
}

// Peers that are configured later, and addresses that come later, are found.
func TestChangesAreFollowed(t *testing.T) {
	n := lab.Use(t, lab.Shape{})
	if err := n.B.DelAddr("eth0", netip.PrefixFrom(n.B.IP4, 24)); err != nil {
		t.Fatal(err)
	}
	a := seek(t, n.A, 1, names(2, 2), Broadcast)
	b := seek(t, n.B, 2, nil, Broadcast)
	time.Sleep(300 * time.Millisecond)
	b.want(name(1))
	if err := n.B.AddAddr("eth0", netip.MustParsePrefix("10.77.1.77/24")); err != nil {
		t.Fatal(err)
	}
	b.Changed()
	if got := a.finds(t, 30*time.Second, name(2), any4); got.String() != "10.77.1.77:4002" {
		t.Error(got)
	}
	b.finds(t, 30*time.Second, name(1), any4)
}

// Fifty nodes that start together do not make a storm, and what they send has
// nothing in common.
func TestManyNodesStartTogether(t *testing.T) {
	n := lab.Use(t, lab.Shape{})
	count, err := n.A.Capture("eth0", 1<<20, isDiscovery)
	if err != nil {
		t.Fatal(err)
	}
	const nodes = 50
	all := names(1, nodes)
	var seekers []*seeker
	for i := 1; i <= nodes; i++ {
		seekers = append(seekers, seek(t, map[bool]*lab.Host{true: n.A, false: n.B}[i%2 == 0], i, all, Multicast))
	}
	for i, s := range seekers { // two per host at the least, where source limits do not hide them
		s.finds(t, 30*time.Second, name((i+1)%nodes+1), any6)
	}
	for _, s := range seekers {
		s.want() // all are established
	}
	time.Sleep(2 * time.Second)
	frames, err := count.Packets()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d packets for %d nodes", len(frames), nodes)
	var packets [][]byte
	for _, f := range frames {
		packets = append(packets, f[udpAt:])
	}
	wantNothingShared(t, packets)
	if limit := nodes * 12 * 2; len(frames) > limit {
		t.Errorf("more than %d", limit)
	}
	faults.Report(t, "D5", true, "%d packets for %d nodes, all found", len(frames), nodes)
}

// udpAt is where a packet begins behind Ethernet, IPv6 and UDP.
const udpAt = 14 + 40 + 8

func isDiscovery(frame []byte) bool {
	return len(frame) > udpAt+4 && string(frame[udpAt:udpAt+4]) == magic
}

// Another program has the port of one family, then of both.
func TestOneMethodIsEnough(t *testing.T) {
	n := lab.Use(t, lab.Shape{})
	occupy := func(a netip.Addr) {
		c, err := n.A.ListenUDP(netip.AddrPortFrom(a, Port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	occupy(n.A.IP4)
	a := seek(t, n.A, 1, names(2, 2), Multicast, Broadcast)
	seek(t, n.B, 2, names(1, 1), Multicast, Broadcast)
	a.finds(t, 30*time.Second, name(2), any6)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	occupy(n.A.IP6)
	err := n.A.Do(func() error { _, err := Start(a.c); return err })
	if !errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, ErrConfig) {
		t.Errorf("with no port at all: %v", err)
	}
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	good := Config{Self: name(1), Listen: netip.MustParseAddrPort("[::]:4242"), Methods: []Method{"pigeon"},
		Peers: func(func(Peer) bool) {}, Found: func(Found) {}, Interfaces: func() ([]Interface, error) { return nil, nil }}
	for what, change := range map[string]func(*Config){
		"an unknown method": func(*Config) {},
		"no method":         func(c *Config) { c.Methods = nil },
		"nobody":            func(c *Config) { c.Self = did.DID{} },
		"no port":           func(c *Config) { c.Listen = netip.AddrPort{} },
		"no peers":          func(c *Config) { c.Peers = nil },
		"no ear":            func(c *Config) { c.Found = nil },
		"no interfaces":     func(c *Config) { c.Interfaces = nil },
	} {
		c := good
		change(&c)
		if d, err := Start(c); d != nil || !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	(*Discovery)(nil).Changed() // off
}
