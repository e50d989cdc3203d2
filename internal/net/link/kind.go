package link

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/internal/proto/wire"
)

// A Kind is what is to be known of a carrier: how records travel on a path. Code
// outside this table asks for a property and never which carrier it is; only the
// packages that implement a carrier name its row. A Kind is compared by its
// pointer and never changed.
//
// Another carrier is its number space in internal/proto/wire/record.go, its row
// here, its name in session/carriers.go, its path and the path's test in a package
// beside this one, the place in transport/transport.go that makes it, and a line
// in SPEC.md and docs/node.md: eight files.
type Kind struct {
	Name  string     // in config, status and metrics
	Shown string     // the word for people, in status and top
	About string     // how records travel, for help and the config
	Link  wire.Link  // what it runs over, and what is dialled for it; empty for Relayed: nothing is
	Space wire.Space // number space of its records (SPEC section 4)
	Rank  int        // order of preference, the lowest first

	Conn    bool // belongs to a connection and ends with it; else an address is enough
	Packets bool // may carry IP packets; else frames only
	Batches bool // takes batch frames (SPEC section 7.12)
	Probed  bool // its room is the largest of several sizes whose echo came back, and the MTU of routes follows it
	Relayed bool // a hub forwards its records (Circuit). No setting names it: a node that has hubs uses it, whatever its carriers are

	Keepalive time.Duration // how often it keeps itself alive; 0: only probes do
	SafeSize  int           // largest record, in bytes, that is never lost for its size

	index int // in kinds
}

// MaxStreamRecord is the largest record on a stream, bytes: a super-packet, or
// many packets, of 64 KiB.
const MaxStreamRecord = 64<<10 + 128

const (
	direct = iota
	datagram
	utcp
	circuit
	numKinds
)

var kinds = [numKinds]Kind{
	direct: {Name: "direct", Shown: "udp-direct", About: "records in UDP datagrams, the fast one", Link: wire.LinkQUIC, Space: wire.SpaceDirect, Rank: 0,
		Packets: true, Probed: true, SafeSize: wire.SafeRecord},
	datagram: {Name: "datagram", Shown: "quic", About: "inside QUIC", Link: wire.LinkQUIC, Space: wire.SpaceDatagram, Rank: 1,
		Conn: true, Packets: true, Keepalive: 25 * time.Second, SafeSize: wire.SafeRecord},
	utcp: {Name: "utcp", Shown: "tcp", About: "TCP, for networks without UDP", Link: wire.LinkUTCP, Space: wire.SpaceUTCP, Rank: 2,
		Conn: true, Packets: true, Batches: true, Keepalive: 15 * time.Second, SafeSize: MaxStreamRecord},
	circuit: {Name: "circuit", Shown: "through a hub", About: "forwarded by a hub, while no other way is open", Space: wire.SpaceCircuit, Rank: 3,
		Packets: true, Probed: true, Relayed: true, SafeSize: wire.SafeCircuitRecord},
}

// The rows of the table.
var (
	KindDirect   = row(direct)   // records in UDP datagrams
	KindDatagram = row(datagram) // inside QUIC datagrams
	KindUTCP     = row(utcp)     // on a TCP connection, for networks without UDP
	KindCircuit  = row(circuit)  // forwarded by a hub
)

func row(i int) *Kind {
	kinds[i].index = i
	return &kinds[i]
}

// String is the kind's name.
func (k *Kind) String() string { return k.Name }

// Kinds are all kinds, the best first.
func Kinds() []*Kind {
	all := make([]*Kind, numKinds)
	for i := range kinds {
		all[i] = &kinds[i]
	}
	slices.SortStableFunc(all, func(a, b *Kind) int { return a.Rank - b.Rank })
	return all
}

// Takes reports whether a record may come by a path of the kind: those of circuits
// come by circuits and no others do, but for control's. So a hub that takes the label
// off does not pass for an address of the peer.
func (k *Kind) Takes(rec []byte) bool {
	s, ok := wire.SpaceOf(rec)
	return !ok || s == wire.SpaceControl || k.Relayed == (s == wire.SpaceCircuit)
}

// Choices are the kinds that a setting can name, the best first.
func Choices() []*Kind {
	return slices.DeleteFunc(Kinds(), func(k *Kind) bool { return k.Relayed })
}

// Names are the names of Choices.
func Names() (names []string) {
	for _, k := range Choices() {
		names = append(names, k.Name)
	}
	return names
}

// Listed is Names in a sentence: "direct, datagram and utcp".
func Listed() string {
	names := Names()
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// ParseKind finds a kind by its name, as status has it.
func ParseKind(name string) (*Kind, error) {
	for i := range kinds {
		if kinds[i].Name == name {
			return &kinds[i], nil
		}
	}
	return nil, notListed(name)
}

// Choose finds one of Choices by its name, as a setting has it.
func Choose(name string) (*Kind, error) {
	k, err := ParseKind(name)
	if err == nil && k.Relayed {
		return nil, notListed(name)
	}
	return k, err
}

func notListed(name string) error {
	return fmt.Errorf("%q is no carrier; there are %s", name, Listed())
}

// A Set holds the kinds that a setting allows; an empty one has all, and each has
// those that no setting names.
type Set []*Kind

// Has reports whether a kind is allowed.
func (s Set) Has(k *Kind) bool { return len(s) == 0 || k.Relayed || slices.Contains(s, k) }

// Uses reports whether a kind that runs over a link is allowed.
func (s Set) Uses(l wire.Link) bool {
	for i := range kinds {
		if !kinds[i].Relayed && kinds[i].Link == l && s.Has(&kinds[i]) {
			return true
		}
	}
	return false
}

// Links are the links of the kinds that are allowed, in the order of preference.
func (s Set) Links() (links []wire.Link) {
	for _, k := range Choices() {
		if s.Has(k) && !slices.Contains(links, k.Link) {
			links = append(links, k.Link)
		}
	}
	return links
}
