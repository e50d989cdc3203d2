package nat

import (
	"net/netip"
	"slices"
	"testing"
)

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// far is a sighting by a remote on the Internet.
func far(remote, local, seen string) Sighting {
	return Sighting{Remote: at(remote), Local: at(local), Seen: at(seen)}
}

func near(remote, local, seen string) Sighting {
	s := far(remote, local, seen)
	s.Near = true
	return s
}

const home = "192.168.1.2:4242"

func TestKindsOfNAT(t *testing.T) {
	for name, x := range map[string]struct {
		all       []Sighting
		kind      Kind
		witnesses []int
	}{
		"nobody":                               {},
		"a public host":                        {[]Sighting{far("198.18.2.2:4242", "198.18.1.2:4242", "198.18.1.2:4242")}, None, []int{0}},
		"a public host, seen by its neighbour": {[]Sighting{near("198.18.1.3:4242", "198.18.1.2:4242", "198.18.1.2:4242")}, None, []int{0}},
		"a LAN says nothing":                   {[]Sighting{near("192.168.1.3:4242", home, home)}, Unknown, nil},
		"one witness of a NAT":                 {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:4242")}, Unknown, []int{0}},
		"two see one mapping": {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:4242"), far("198.18.3.2:4242", home, "198.18.1.2:4242")},
			EndpointIndependent, []int{0, 1}},
		"two ports of one host see one mapping": {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:4242"), far("198.18.2.2:4243", home, "198.18.1.2:4242")},
			Unknown, []int{0, 1}},
		"two see two": {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:4242"), far("198.18.3.2:4242", home, "198.18.1.2:4243")},
			EndpointDependent, []int{0, 1}},
		"two ports of one host see two": {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:1111"), far("198.18.2.2:4243", home, "198.18.1.2:2222")},
			EndpointDependent, []int{0, 1}},
		"three see three": {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:1"), far("198.18.3.2:4242", home, "198.18.1.2:2"), far("198.18.4.2:4242", home, "198.18.1.2:3")},
			EndpointDependent, []int{0, 1, 2}},
		"one of three lies": {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:1"), far("198.18.3.2:4242", home, "203.0.113.1:2"), far("198.18.4.2:4242", home, "198.18.1.2:1")},
			EndpointIndependent, []int{0, 1, 2}},
		"one host says it often": {[]Sighting{far("198.18.2.2:1", home, "198.18.1.2:1"), far("198.18.2.2:2", home, "198.18.1.2:1"), far("198.18.4.2:1", home, "198.18.1.2:9")},
			EndpointDependent, []int{0, 1, 2}},
		"a neighbour beside two on the Internet": {[]Sighting{near("192.168.1.3:4242", home, home), far("198.18.2.2:4242", home, "198.18.1.2:1"), far("198.18.3.2:4242", home, "198.18.1.2:1")},
			EndpointIndependent, []int{1, 2}},
		"the way that more have told of": {[]Sighting{far("198.18.2.2:1", "198.18.9.9:4242", "198.18.9.9:4242"), far("198.18.2.2:4242", home, "198.18.1.2:1"), far("198.18.3.2:4242", home, "198.18.1.2:2")},
			EndpointDependent, []int{1, 2}},
		"IPv6 where nobody tells of IPv4":         {[]Sighting{far("[2001:db8:2::2]:4242", "[2001:db8:1::2]:4242", "[2001:db8:1::2]:4242")}, None, []int{0}},
		"IPv4 counts before IPv6":                 {[]Sighting{far("[2001:db8:2::2]:4242", "[2001:db8:1::2]:4242", "[2001:db8:1::2]:4242"), far("198.18.2.2:4242", home, "198.18.1.2:1")}, Unknown, []int{1}},
		"an address of another family is no word": {[]Sighting{far("198.18.2.2:4242", home, "[2001:db8::1]:4242")}, Unknown, nil},
		"nothing said":                            {[]Sighting{{Remote: at("198.18.2.2:4242"), Local: at(home)}}, Unknown, nil},
	} {
		v := Of(x.all)
		if v.Kind != x.kind || !slices.Equal(v.Witnesses, x.witnesses) {
			t.Errorf("%s: %v by %v, want %v by %v", name, v.Kind, v.Witnesses, x.kind, x.witnesses)
		}
	}
}

func TestFamiliesAreJudgedApart(t *testing.T) {
	v := Of([]Sighting{
		far("198.18.2.2:4242", home, "198.18.1.2:1"), far("198.18.3.2:4242", home, "198.18.1.2:2"),
		far("[2001:db8:2::2]:4242", "[2001:db8:1::2]:4242", "[2001:db8:1::2]:4242"),
	})
	if v.Kind != EndpointDependent || v.IPv4 != EndpointDependent || v.IPv6 != None {
		t.Errorf("%+v", v)
	}
}

// TestGuesses: what is known is likely; one witness speaks by the port that it sees.
func TestGuesses(t *testing.T) {
	for name, x := range map[string]struct {
		all  []Sighting
		want Kind
	}{
		"nobody":         {},
		"a public host":  {[]Sighting{far("198.18.2.2:4242", "198.18.1.2:4242", "198.18.1.2:4242")}, None},
		"a port kept":    {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:4242")}, EndpointIndependent},
		"another port":   {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:31007")}, EndpointDependent},
		"one, for two":   {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:31007"), far("198.18.3.2:4242", home, "198.18.1.2:31007")}, EndpointIndependent},
		"two, for two":   {[]Sighting{far("198.18.2.2:4242", home, "198.18.1.2:4242"), far("198.18.3.2:4242", home, "198.18.1.2:31007")}, EndpointDependent},
		"by IPv6 alone":  {[]Sighting{far("[2001:db8:2::2]:4242", "[2001:db8:1::2]:4242", "[2001:db8:1::2]:4242")}, Unknown},
		"a LAN neighbor": {[]Sighting{near("192.168.1.3:4242", home, home)}, Unknown},
	} {
		if got := Of(x.all).Likely; got != x.want {
			t.Errorf("%s: %v, want %v", name, got, x.want)
		}
	}
}

// The order of sightings makes no difference.
func TestOrderOfSightingsIsNoMatter(t *testing.T) {
	all := []Sighting{
		far("198.18.2.2:1", "198.18.9.9:4242", "198.18.9.9:4242"), far("198.18.2.2:4242", home, "198.18.1.2:1"),
		far("198.18.3.2:4242", home, "198.18.1.2:2"), near("192.168.1.3:4242", home, home), far("198.18.5.2:1", "10.0.0.1:4242", "198.18.7.7:1"),
	}
	want := Of(all).Kind
	for range len(all) {
		all = append(all[1:], all[0])
		if got := Of(all).Kind; got != want {
			t.Errorf("%v, and in another order %v", want, got)
		}
	}
}
