package network

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libertaria-project/l2tun/did"
)

// identities are made once: each is a key pair of ML-DSA-65 and three more.
var (
	identities = make(map[string]*did.Identity)
	identityMu sync.Mutex
)

// who is the identity of a name.
func who(name string) *did.Identity {
	identityMu.Lock()
	defer identityMu.Unlock()
	if identities[name] == nil {
		seed := TextHash("seed of " + name)
		id, err := did.NewIdentity(seed[:])
		if err != nil {
			panic(err)
		}
		identities[name] = id
	}
	return identities[name]
}

func didOf(name string) did.DID { return who(name).DID() }

func dids(names ...string) (out []did.DID) {
	for _, n := range names {
		out = append(out, didOf(n))
	}
	slices.SortFunc(out, byText)
	return out
}

var epoch = time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)

// home is head 1 of a network of admins, of which each is an issuer.
func home(threshold int, admins ...string) *Head {
	h := &Head{Name: "home", Serial: 1, Issued: epoch, Threshold: threshold, Admins: dids(admins...)}
	for i, a := range admins {
		h.Issuers = append(h.Issuers, Issuer{DID: didOf(a), Groups: []string{"phone", "server"},
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 9, byte(i), 0}), 24), Routes: true})
	}
	return h
}

func signed(text fmt.Stringer, by ...string) []byte {
	var ids []*did.Identity
	for _, n := range by {
		ids = append(ids, who(n))
	}
	return Sign(text.String(), ids...).Append(nil)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails unless an error has a code.
func wantCode(t testing.TB, err error, want Code) {
	t.Helper()
	if CodeOf(err) != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

// started is a State that holds head 1.
func started(t testing.TB, h *Head, by ...string) *State {
	t.Helper()
	s := New(ID(h.String()))
	_, err := s.Take(signed(h, by...), epoch)
	must(t, err)
	s.Saved()
	return s
}

func line(name string, addr string, groups ...string) Line {
	l := Line{DID: didOf(name), Name: name, Groups: groups}
	if addr != "" {
		l.Addrs = []netip.Addr{netip.MustParseAddr(addr)}
	}
	return l
}

func roster(s *State, issuer string, serial uint64, lines ...Line) *Roster {
	r := &Roster{Network: s.ID(), Issuer: didOf(issuer), Serial: serial, Issued: epoch}
	for _, l := range lines {
		r.Put(l)
	}
	return r
}

// sameOnDisk fails unless a state is read back as it was written.
func sameOnDisk(t testing.TB, s *State) *State {
	t.Helper()
	b := s.AppendTo(nil)
	back, err := Load(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b[:min(len(b), 2000)])
	}
	if !bytes.Equal(back.AppendTo(nil), b) {
		t.Fatal("another state is read back")
	}
	return back
}
