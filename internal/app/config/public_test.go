package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/libertaria-project/l2tun/did"
	"github.com/libertaria-project/l2tun/test/faults"
)

// wholeInternet is the link of the security review: everything, in 13 pieces.
const wholeInternet = "1.0.0.0/8 2.0.0.0/7 4.0.0.0/6 16.0.0.0/4 32.0.0.0/3 64.0.0.0/3 96.0.0.0/4 112.0.0.0/5 128.0.0.0/3 172.0.0.0/8 176.0.0.0/4 192.0.0.0/4 2000::/3"

func TestPeerOwnsAtMostAQuarterOfTheInternet(t *testing.T) {
	for prefixes, refused := range map[string]bool{
		wholeInternet:                                   true,
		"16.0.0.0/4 32.0.0.0/3 64.0.0.0/4":              false,
		"16.0.0.0/4 32.0.0.0/3 64.0.0.0/4 193.0.2.0/24": true,
		"16.0.0.0/4 32.0.0.0/3 64.0.0.0/4 65.0.0.0/8":   false, // counted once
		"32.0.0.0/3 64.0.0.0/3 96.0.0.0/5 104.0.0.0/6":  true,
		"32.0.0.0/3 64.0.0.0/4 80.0.0.0/5 88.0.0.0/6 92.0.0.0/7 94.0.0.0/8 96.0.0.0/10 100.0.0.0/8": false, // CGNAT is in the last one, and not public
		"10.0.0.0/8 172.16.0.0/12 192.168.0.0/16":                                                   false,
		"10.0.0.0/8 100.64.0.0/10 fc00::/7":                                                         false,
		"32.0.0.0/4 48.0.0.0/5 128.0.0.0/3":                                                         false,
		"32.0.0.0/4 48.0.0.0/5 128.0.0.0/3 8::/13":                                                  false, // not given to anybody
		"2000::/5":                       false,
		"2000::/5 2a00::/12":             true,
		"2000::/6 2400::/6":              false,
		"2000::/3":                       true,
		"64:ff9b::/96":                   true,
		"64:ff9b::/95":                   true,
		"64:ff9b::4000:0/98":             false,
		"64:ff9b::4000:0/98 8.0.0.0/8":   true, // both families of one address
		"64:ff9b::a00:0/104":             false,
		"203.0.113.0/24 2001:db8:1::/48": false,
	} {
		text := fmt.Sprintf("[[peer]]\ndid = %q\nallowed_ips = [%s]\n", did.FromDigest([32]byte{1}), quoteAll(strings.Fields(prefixes)))
		_, err := Parse("n.toml", []byte(text))
		if prefixes == wholeInternet {
			faults.Report(t, "S3", err != nil, "13 prefixes that are all of it: %v", err)
		}
		var e *Error
		switch {
		case !refused && err != nil:
			t.Errorf("%s: %v", prefixes, err)
		case refused && (!errors.As(err, &e) || e.Key != "peer.allowed_ips" || e.Line != 3 || !strings.Contains(e.Msg, "more than a quarter of the Internet")):
			t.Errorf("%s: %v", prefixes, err)
		}
	}
}

func TestPublicPrefixes(t *testing.T) {
	for p, want := range map[string]bool{
		"8.8.8.8/32": true, "10.0.0.0/8": false, "10.9.0.1/32": false, "100.64.0.0/10": false, "172.0.0.0/8": true,
		"172.16.0.0/12": false, "192.168.0.0/15": true, "2001:db8::/32": true, "fd00::/8": false, "64:ff9b::808:808/128": true,
	} {
		if got := IsPublic(netip.MustParsePrefix(p)); got != want {
			t.Errorf("%s: %v", p, got)
		}
	}
}
