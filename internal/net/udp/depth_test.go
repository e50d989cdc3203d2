package udp

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// script runs a search against routers that answer as the words say, one a hop limit,
// and returns what happened. Routers behind the last word are silent.
func script(t *testing.T, routers string) string {
	t.Helper()
	var d depthSearch
	var did []string
	words := strings.Fields(routers)
	now := time.Now()
	for range 100 {
		if d.depth != 0 {
			return strings.Join(append(did, fmt.Sprint("depth ", d.depth)), ", ")
		}
		if hops := d.tick(now); hops > 0 {
			did = append(did, fmt.Sprint(hops))
			if again := d.tick(now.Add(depthGap - 1)); again != 0 {
				t.Fatalf("%s: two packets within a second", routers)
			}
			if hops <= len(words) && words[hops-1] != "-" {
				d.exceeded(netip.MustParseAddr(words[hops-1]))
				d.exceeded(netip.Addr{}) // an answer that does not say whose it is
			}
		}
		now = d.deadline()
	}
	t.Fatalf("%s: no end", routers)
	return ""
}

func TestDepthOfNATs(t *testing.T) {
	for _, c := range []struct{ what, routers, want string }{
		{"on the Internet", "198.51.100.1 203.0.113.1", "1, depth 1"},
		{"a home", "192.168.1.1 198.51.100.1", "1, 2, depth 2"},
		{"a home, and a provider that is silent", "192.168.1.1", "1, 2, depth 2"},
		{"behind a carrier", "192.168.1.1 100.64.0.1 203.0.113.1", "1, 2, 3, depth 3"},
		{"behind a carrier, and silence then", "192.168.1.1 100.64.0.1", "1, 2, 3, depth 3"},
		{"DS-Lite", "192.168.1.1 192.0.0.1 203.0.113.1", "1, 2, 3, depth 3"},
		{"containers at home behind a carrier", "172.17.0.1 192.168.1.1 100.64.0.1 203.0.113.1", "1, 2, 3, 4, depth 4"},
		{"deeper than is searched", "172.17.0.1 192.168.1.1 10.0.0.1 10.1.0.1", "1, 2, 3, 4, depth 4"},
		{"the first router is silent", "- 203.0.113.1", "1, 2, depth 2"},
		{"the first router is silent, the second private", "- 10.0.0.1", "1, 2, 3, depth 3"},
		{"all are silent", "", "1, 2, 3, 4, depth 2"},
		{"only the last one answers", "- - - 10.0.0.1", "1, 2, 3, 4, depth 4"},
		{"IPv6", "2001:db8::1", "1, depth 1"},
		{"IPv6 with prefix translation", "fd00::1 2001:db8::1", "1, 2, depth 2"},
		{"a link-local router", "fe80::1 2001:db8::1", "1, 2, depth 2"},
	} {
		if got := script(t, c.routers); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestAnAnswerThatIsLateChangesNothing(t *testing.T) {
	var d depthSearch
	d.exceeded(netip.MustParseAddr("203.0.113.1"))
	if d.depth != 0 {
		t.Fatal("an answer before the first packet")
	}
	now := time.Now()
	d.tick(now)
	d.exceeded(netip.MustParseAddr("203.0.113.1"))
	d.exceeded(netip.MustParseAddr("192.168.1.1"))
	if d.depth != 1 || d.tick(now.Add(time.Hour)) != 0 {
		t.Fatal(d.depth)
	}
}
