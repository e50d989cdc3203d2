package archtest

import (
	"regexp"
	"strings"
	"testing"
)

// Only the table of carriers and what implements one name a carrier: all else
// asks for a property of its link.Kind, so that another carrier is a row, a
// number space and its implementation.
func TestCarriersAreData(t *testing.T) {
	row := regexp.MustCompile(`\blink\.Kind[A-Z]\w*|\bwire\.Space(Direct|Datagram|UTCP)\b`)
	for _, s := range tree(t) {
		implements := s.pkg == "internal/net/link" || s.pkg == "transport" || s.pkg == "internal/net/quicnet" || s.pkg == "internal/net/udp" || s.pkg == "internal/net/circuit" || s.pkg == "internal/net/utcp" || strings.HasPrefix(s.pkg, "test/")
		public := s.path == "session/carriers.go"
		if m := row.Find(s.text); m != nil && !s.test && !implements && !public {
			t.Errorf("%s names the carrier %s: ask its link.Kind for the property instead", s.path, m)
		}
	}
}
