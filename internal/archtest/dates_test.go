package archtest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/libertaria-project/l2tun/test/faults"
)

// dated are the lines that a session's packages may have with a date. All others
// measure time by what Go's time.Now carries beside the date: a monotonic clock,
// which setting the host's clock does not move.
func dated() map[string][]string {
	return map[string][]string{
		"handshake/prekey.go":                 {"notBefore.Unix(", "notAfter.Unix(", "now.Add(-PrekeySlack).Unix("}, // ADR-024: synchronised clocks only
		"internal/net/utcp/conn.go":           {"time.Unix(1, 0)"},                                                  // a deadline that has passed, at any date after 1970
		"internal/net/quicnet/certificate.go": {"time.Date("},                                                       // of certificates that nobody verifies
		"internal/app/node/copies_linux.go":   {"CLOCK_REALTIME"},                                                   // that it was set may mean a restored snapshot
		"internal/app/node/jumps_linux.go":    {"CLOCK_REALTIME"},                                                   // to hear that it was set
		"internal/app/node/events.go":         {"t.Time.UTC()"},                                                     // shown
	}
}

// withDates returns a sentence for each date that is read or made in the packages
// of which a running session consists.
func withDates(all []source) (wrong []string) {
	packages := []string{"handshake", "rotation", "session", "internal/base/peerlog", "internal/net/msgchan", "internal/net/ping", "internal/net/presence", "internal/net/reach", "internal/net/slumber", "transport", "internal/net/udp", "internal/net/quicnet", "internal/net/utcp", "transport/discovery", "did", "routing", "tun",
		"internal/proto/record", "internal/proto/paths", "internal/net/link", "internal/proto/wire", "internal/packet/datapath", "internal/app/node"}
	date := regexp.MustCompile(`.*(\.Unix(Nano|Milli|Micro)?\(|\.UTC\(\)|\.AddDate\(|\.Round\(0\)|\.In\(time\.|time\.(Unix\w*|Date|Parse)\(|CLOCK_REALTIME).*`)
	for _, s := range all {
		if s.test || !slices.Contains(packages, s.pkg) {
			continue
		}
		for _, line := range date.FindAllString(string(s.text), -1) {
			if !slices.ContainsFunc(dated()[s.path], func(may string) bool { return strings.Contains(line, may) }) {
				wrong = append(wrong, fmt.Sprintf("%s: %s: what a session does must not depend on the date", s.path, line))
			}
		}
	}
	return wrong
}

// C1: the host's clock cannot be set in a test, nor can a process have one of its
// own. But no session asks for the date.
func TestNoSessionAsksForTheDate(t *testing.T) {
	for _, w := range withDates(tree(t)) {
		t.Error(w)
	}
	faults.Report(t, "C1", true, "no line of the 14 packages of which a session consists takes a date from a time or makes one, but for %d files that the test names, each with its reason", len(dated()))
}

func TestADateIsNamed(t *testing.T) {
	wrong := withDates(readTree(t, fstest.MapFS{
		"session/bad.go":            {Data: []byte("package session\nvar x = now.Unix()\n")},
		"session/good.go":           {Data: []byte("package session\nvar x = now.Sub(then)\n")},
		"session/bad_test.go":       {Data: []byte("package session\nvar x = now.Unix()\n")},
		"internal/app/invite/ok.go": {Data: []byte("package invite\nvar x = now.Unix()\n")},
		"handshake/prekey.go":       {Data: []byte("package handshake\nvar x, y = notBefore.Unix(), 0\nvar z = now.UnixNano()\n")},
	}))
	want := []string{
		"handshake/prekey.go: var z = now.UnixNano(): what a session does must not depend on the date",
		"session/bad.go: var x = now.Unix(): what a session does must not depend on the date",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("got  %q\nwant %q", wrong, want)
	}
}
