package network

import (
	"strings"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

const firstOfRemovals = "l2tun removals v1"

// Removals are a set of members that are gone, by one admin or issuer (spec/network.md
// 10.4). Sets have no serial: what counts is their union.
type Removals struct {
	Network Hash
	By      did.DID
	Issued  time.Time
	Lines   []Removal // ascending by the DIDs' text
}

// A Removal says that lines of rosters with this DID do not count.
type Removal struct {
	DID   did.DID
	At    time.Time // when it was removed: a head that takes it back names this date or a later one
	Until time.Time // lines that end later count; zero: none does
}

// ParseRemovals reads the text of removals. Errors are Refusals.
func ParseRemovals(text string) (*Removals, error) {
	r := read(text, firstOfRemovals)
	x := &Removals{Network: r.hash(r.value("network")), By: r.did(r.value("by")), Issued: r.date(r.value("issued"))}
	for last := ""; r.has("remove"); {
		v := r.values("remove", 3)
		x.Lines = append(x.Lines, Removal{DID: r.did(v[0]), At: r.date(v[1]), Until: r.until(v[2])})
		r.ascending(strings.Compare(last, v[0]), v[0])
		last = v[0]
	}
	if r.err == nil && len(x.Lines) == 0 {
		r.fail(Syntax, "it removes nobody")
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

// String is the text.
func (x *Removals) String() string {
	var b strings.Builder
	b.WriteString(firstOfRemovals + "\nnetwork " + x.Network.String() + "\nby " + x.By.String() + "\nissued " + x.Issued.Format(dateForm) + "\n")
	for _, l := range x.Lines {
		b.WriteString("remove " + l.DID.String() + " " + l.At.Format(dateForm) + " " + printUntil(l.Until) + "\n")
	}
	return b.String()
}
