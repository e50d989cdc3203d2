package network

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const firstOfRoster = "l2tun roster v1"

// Bounds of a member's line.
const (
	MaxAddrs  = 8
	MaxRoutes = 16
)

// A Roster is the members of one issuer (spec/network.md 10.3).
type Roster struct {
	Network Hash
	Issuer  did.DID
	Serial  uint64
	Issued  time.Time
	Lines   []Line // ascending by the DIDs' text
}

// A Line is what an issuer says of one member. It counts only inside the issuer's scope.
type Line struct {
	DID    did.DID
	Name   string
	Addrs  []netip.Addr   // overlay addresses beside the one that follows from the DID
	Routes []netip.Prefix // networks behind the member
	Groups []string
	Until  time.Time // zero: no end
}

// ParseRoster reads the text of a roster. Errors are Refusals.
func ParseRoster(text string) (*Roster, error) {
	r := read(text, firstOfRoster)
	x := r.rosterHead()
	x.Lines = make([]Line, 0, strings.Count(r.rest, "\n"))
	named, addressed := make(map[string]bool, cap(x.Lines)), make(map[netip.Addr]bool, cap(x.Lines))
	for last := ""; r.has("member"); {
		v := r.values("member", 6)
		l := Line{DID: r.did(v[0]), Name: r.memberName(v[1]), Addrs: list(r, v[2], MaxAddrs, r.addr, netip.Addr.Compare),
			Routes: list(r, v[3], MaxRoutes, r.prefix, comparePrefixes), Groups: list(r, v[4], MaxGroups, r.name, strings.Compare), Until: r.until(v[5])}
		r.ascending(strings.Compare(last, v[0]), v[0])
		last = v[0]
		if named[l.Name] {
			r.fail(Duplicate, "the name %q stands twice", l.Name)
		}
		named[l.Name] = true
		for _, a := range l.Addrs {
			if addressed[a] {
				r.fail(Duplicate, "the address %s stands twice", a)
			}
			addressed[a] = true
		}
		x.Lines = append(x.Lines, l)
	}
	printed := ""
	if r.err == nil {
		printed = x.String()
	}
	if err := r.end(text, printed); err != nil {
		return nil, err
	}
	return x, nil
}

// rosterHead reads what stands before the lines of members.
func (r *reader) rosterHead() *Roster {
	return &Roster{Network: r.hash(r.value("network")), Issuer: r.did(r.value("issuer")),
		Serial: r.number(r.value("serial"), MaxSerial), Issued: r.date(r.value("issued"))}
}

// comparePrefixes orders by address, then by length.
func comparePrefixes(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

// String is the text.
func (x *Roster) String() string {
	var b strings.Builder
	b.Grow(256 + 160*len(x.Lines))
	b.WriteString(firstOfRoster + "\nnetwork " + x.Network.String() + "\nissuer " + x.Issuer.String() +
		"\nserial " + strconv.FormatUint(x.Serial, 10) + "\nissued " + x.Issued.Format(dateForm) + "\n")
	for _, l := range x.Lines {
		b.WriteString(l.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// String is the line without its end.
func (l Line) String() string {
	return strings.Join([]string{"member", l.DID.String(), l.Name, printList(l.Addrs, netip.Addr.String),
		printList(l.Routes, netip.Prefix.String), printList(l.Groups, asIs), printUntil(l.Until)}, " ")
}
