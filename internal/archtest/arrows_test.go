package archtest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/fstest"
)

// arrows says which packages of this module each package may import. Packages
// that only tests use are on no right side: tests may import anything.
func arrows() map[string][]string {
	below := []string{"session", "did", "filter", "network", "internal/app/membership", "internal/app/netadmin", "internal/app/netstore", "internal/net/documents", "transport", "transport/discovery", "tun", "routing",
		"internal/packet/datapath", "internal/net/hub", "internal/net/joinproxy", "internal/net/link", "internal/proto/nat", "internal/proto/relay", "internal/proto/wire", "internal/app/config", "internal/app/control",
		"internal/base/account", "internal/app/invite", "internal/app/join", "internal/app/peercache", "internal/app/policy", "internal/show/capture", "internal/base/guard", "internal/show/health", "internal/show/metrics", "internal/app/confine", "internal/net/portmap", "internal/proto/mapping", "names"}
	return map[string][]string{
		"internal/proto/wire":      nil,
		"internal/packet/ip":       nil,
		"internal/base/backoff":    nil,
		"internal/base/guard":      nil,
		"internal/base/history":    nil,
		"internal/base/lograte":    nil,
		"internal/base/mailbox":    nil,
		"internal/base/statefile":  nil,
		"internal/base/peerlog":    {"internal/base/lograte"},
		"test/packetgen":           {"internal/proto/wire"}, // tests only
		"internal/proto/state":     nil,
		"internal/proto/x25519":    nil,
		"did":                      {"internal/proto/wire", "internal/proto/x25519"},
		"filter":                   {"internal/packet/ip"},
		"handshake":                {"did", "internal/proto/wire", "internal/proto/x25519"},
		"rotation":                 nil,
		"names":                    nil,
		"network":                  {"did", "filter", "internal/packet/ip", "internal/proto/wire", "names"},
		"internal/proto/record":    {"internal/proto/wire"},
		"internal/proto/paths":     {"internal/proto/wire"},
		"internal/proto/gossip":    {"did", "internal/proto/wire", "network"},
		"internal/proto/mapping":   nil,
		"internal/proto/nat":       nil,
		"internal/proto/relay":     nil,
		"internal/proto/settings":  nil,
		"internal/proto/sleep":     {"internal/proto/wire"},
		"internal/net/link":        {"internal/proto/record", "internal/proto/wire"},
		"session":                  {"did", "handshake", "rotation", "internal/base/guard", "internal/base/history", "internal/base/mailbox", "internal/base/peerlog", "internal/proto/incarnation", "internal/proto/state", "internal/proto/paths", "internal/proto/record", "internal/proto/settings", "internal/net/circuit", "internal/net/connect", "internal/net/dial", "internal/net/enroll", "internal/net/frames", "internal/net/keys", "internal/net/link", "internal/net/documents", "internal/net/meeting", "internal/net/msgchan", "internal/net/pathset", "internal/net/ping", "internal/net/presence", "internal/net/reach", "internal/net/slumber", "internal/proto/wire"},
		"internal/net/connect":     {"did", "handshake", "internal/base/lograte", "internal/net/dial", "internal/net/link", "internal/net/netaddr", "internal/proto/record", "internal/proto/wire"},
		"internal/net/enroll":      {"did", "handshake", "internal/net/connect", "internal/net/dial", "internal/net/link", "internal/proto/record", "internal/proto/wire"},
		"internal/net/dial":        {"internal/net/link", "internal/proto/wire"},
		"internal/net/documents":   {"internal/net/link", "internal/net/msgchan", "internal/proto/wire"},
		"internal/net/msgchan":     {"internal/net/link", "internal/proto/record", "internal/proto/wire"},
		"internal/net/frames":      {"internal/net/link", "internal/proto/record", "internal/proto/wire"},
		"internal/net/keys":        {"did", "handshake", "rotation", "internal/net/connect", "internal/net/frames", "internal/net/link", "internal/net/msgchan", "internal/proto/record", "internal/proto/wire"},
		"internal/net/netaddr":     nil,
		"internal/net/meeting":     {"internal/net/circuit", "internal/net/link", "internal/proto/nat", "internal/proto/paths", "internal/proto/sleep", "internal/proto/wire"},
		"internal/net/pathset":     {"internal/net/circuit", "internal/net/link", "internal/net/meeting", "internal/proto/paths", "internal/proto/wire"},
		"internal/net/ping":        {"internal/net/frames", "internal/net/link", "internal/proto/record", "internal/proto/wire"},
		"internal/net/presence":    {"internal/net/documents", "internal/net/link", "internal/net/meeting", "internal/net/ping", "internal/proto/nat", "internal/proto/paths", "internal/proto/record", "internal/proto/relay", "internal/proto/sleep", "internal/proto/wire"},
		"internal/net/reach":       {"did", "internal/base/backoff", "internal/base/lograte", "internal/net/connect", "internal/net/dial", "internal/net/keys", "internal/net/link", "internal/net/pathset", "internal/proto/paths", "internal/proto/state", "internal/proto/wire"},
		"internal/net/slumber":     {"did", "internal/base/guard", "internal/base/mailbox", "internal/net/frames", "internal/net/keys", "internal/net/link", "internal/net/meeting", "internal/net/msgchan", "internal/net/pathset", "internal/proto/sleep", "internal/proto/wire"},
		"internal/net/hub":         {"internal/base/guard", "internal/base/mailbox", "internal/net/link", "internal/proto/relay", "internal/proto/wire"},
		"internal/net/joinproxy":   {"internal/base/guard", "internal/proto/wire"},
		"internal/net/cause":       nil,
		"internal/net/circuit":     {"internal/net/link", "internal/net/udp", "internal/proto/record", "internal/proto/wire"},
		"internal/net/spray":       nil,
		"internal/net/portmap":     {"internal/base/guard", "internal/proto/mapping"},
		"internal/net/queue":       {"internal/net/link", "internal/proto/wire"},
		"internal/net/utcp":        {"internal/base/lograte", "internal/net/cause", "internal/net/link", "internal/net/netaddr", "internal/net/queue", "internal/proto/wire"},
		"internal/net/udp":         {"internal/base/guard", "internal/net/cause", "internal/net/link", "internal/net/netaddr", "internal/proto/wire"},
		"internal/net/quicnet":     {"internal/net/cause", "internal/net/link", "internal/net/netaddr", "internal/net/queue", "internal/net/udp", "internal/proto/wire"},
		"transport":                {"internal/base/guard", "internal/net/cause", "internal/net/link", "internal/net/netaddr", "internal/net/quicnet", "internal/net/spray", "internal/net/udp", "internal/net/utcp", "internal/proto/wire"},
		"transport/discovery":      {"did", "internal/base/guard", "internal/proto/wire"},
		"tun":                      {"internal/base/ifname", "internal/packet/ip", "internal/proto/wire"},
		"routing":                  {"internal/base/account", "internal/packet/ip"},
		"internal/packet/datapath": {"filter", "internal/base/guard", "internal/packet/ip", "internal/proto/record", "routing", "tun", "internal/net/link", "internal/proto/wire"},
		"internal/app/config":      {"internal/base/account", "did", "filter", "names", "network", "internal/base/ifname", "internal/net/link", "internal/proto/relay", "internal/proto/wire", "routing", "session"},
		"internal/base/ifname":     nil,
		"internal/app/hosts":       nil,
		"internal/app/hostnames":   {"names", "internal/base/account", "internal/base/ifname", "internal/app/confine", "internal/app/control", "internal/app/hosts", "internal/base/statefile"},
		"internal/app/control":     {"internal/base/account"},
		// Links and promises are checked against the config, what a link names as
		// an endpoint against what nodes dial and what this machine has.
		"internal/app/invite":  {"internal/base/account", "internal/base/statefile", "did", "internal/app/config", "internal/proto/wire", "network", "routing", "transport"},
		"internal/app/join":    {"did", "handshake", "network", "internal/app/config", "internal/app/invite", "internal/net/enroll", "internal/net/joinproxy", "internal/proto/wire", "transport"},
		"internal/app/confine": {"internal/base/account"},
		"internal/app/policy":  {"did", "filter", "internal/packet/ip", "network"},
		// It gives handshakes what it has, verified by them.
		"internal/app/membership": {"did", "network", "internal/app/config", "internal/app/netstore", "internal/base/guard", "internal/base/mailbox", "internal/net/documents", "internal/proto/gossip", "internal/proto/wire"},
		// What people do with networks, with a node or without.
		"internal/app/netadmin":  {"did", "network", "internal/app/control", "internal/app/membership", "internal/app/netstore", "internal/base/account"},
		"internal/app/netstore":  {"internal/base/statefile", "network"},
		"internal/app/peercache": {"did", "handshake", "internal/base/statefile", "internal/net/connect", "internal/proto/wire"},
		"internal/base/account":  nil, // who the system user is
		"internal/app/node":      below,

		"internal/proto/incarnation": nil,

		// What shows a node: metrics read what sessions count, capture formats what
		// it is given, health reads a status.
		"internal/show/metrics":   {"internal/net/hub", "internal/net/link", "session", "transport"},
		"internal/show/capture":   nil,
		"internal/show/health":    {"internal/app/control"},
		"internal/show/logs":      nil,
		"internal/show/bugreport": nil,
		"internal/show/screen":    {"internal/app/control", "internal/net/link", "internal/show/health"},
		"internal/show/top":       {"internal/app/control", "internal/net/link", "internal/show/health", "internal/show/screen"},
		// The doctor reads the config as the node does, asks a node, and probes the
		// endpoints of peers with the node's own sockets.
		"internal/show/doctor": {"internal/base/account", "did", "routing", "transport", "internal/app/config", "internal/app/control", "internal/show/health", "internal/net/link", "internal/proto/wire"},
		"test/example":         {"did", "session", "transport"},
		"test/node":            {"test/lab", "internal/app/control"},
		"test/reach":           {"test/lab", "test/lab/nat", "test/node", "internal/app/control"},
		"test/demo":            {"test/lab", "test/lab/nat", "test/node", "test/reach", "internal/app/control"},
		"cmd/l2tun": {"internal/base/account", "internal/app/node", "internal/app/config", "internal/app/control", "internal/net/link", "internal/app/invite", "internal/app/join", "internal/app/membership", "internal/app/netadmin", "internal/app/netstore", "network", "internal/show/logs", "did",
			"internal/show/health", "internal/app/hostnames", "internal/app/hosts", "internal/show/screen", "internal/show/top", "internal/show/doctor", "internal/show/bugreport", "names"},

		// What serves tests and scripts.
		"test/lab":          nil,
		"test/lab/nat":      {"test/lab"},
		"test/bubble":       nil,
		"test/script":       nil,
		"test/router":       nil,
		"test/memnet":       {"internal/net/link", "internal/net/netaddr", "internal/proto/wire"},
		"test/records":      {"internal/net/link", "internal/proto/wire"},
		"test/tuntest":      {"tun"},
		"test/bench":        {"did", "internal/app/control", "internal/net/link", "test/lab", "test/lab/nat", "test/node", "test/reach"},
		"test/bench/cmd":    {"test/bench"},
		"internal/archtest": nil,
		"test/e2e":          nil,
		"test/second":       nil, // a second handshake, tests only: nobody imports it
		"test/symbolic":     nil, // a model of the handshake, tests only
		"scripts/testsum":   nil,
		"scripts/licenses":  nil,
		"test/plot":         nil, // a module of its own: draws what test/bench has measured
		"packaging/deb":     nil, // a module of its own: what builds packages is not in ours
		"test/faults":       nil, // cases are data: they name tests and import nothing
		"scripts/faultrun":  {"test/faults"},
	}
}

// wrongArrows returns a sentence for each import that the table does not have.
func wrongArrows(all []source) (wrong []string) {
	table := arrows()
	for _, s := range all {
		allowed, known := table[s.pkg]
		if !known {
			wrong = append(wrong, fmt.Sprintf("%s: package %s is not in the table of arrows: say there what it may import", s.path, s.pkg))
			continue
		}
		for _, to := range s.internal() {
			if !s.test && !slices.Contains(allowed, to) {
				wrong = append(wrong, fmt.Sprintf("%s: package %s must not import %s: the design has no such arrow", s.path, s.pkg, to))
			}
		}
	}
	return wrong
}

func TestArrowsOfTheDesign(t *testing.T) {
	for _, w := range wrongArrows(tree(t)) {
		t.Error(w)
	}
}

// unusedArrows returns a sentence for each permission that no import uses: the
// table would show an arrow that does not exist.
func unusedArrows(all []source, table map[string][]string) (unused []string) {
	used, there := make(map[[2]string]bool), make(map[string]bool)
	for _, s := range all {
		there[s.pkg] = true
		for _, to := range s.internal() {
			used[[2]string{s.pkg, to}] = used[[2]string{s.pkg, to}] || !s.test
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(table)) {
		if !there[pkg] {
			unused = append(unused, fmt.Sprintf("package %s is in the table of arrows and does not exist", pkg))
		}
		for _, to := range table[pkg] {
			if there[pkg] && !used[[2]string{pkg, to}] {
				unused = append(unused, fmt.Sprintf("package %s may import %s and does not: take the arrow out of the table", pkg, to))
			}
		}
	}
	return unused
}

func TestArrowsAreUsed(t *testing.T) {
	for _, u := range unusedArrows(tree(t), arrows()) {
		t.Error(u)
	}
}

func TestUnusedArrowIsNamed(t *testing.T) {
	file := func(imported string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package p\nimport _ \"" + module + "/" + imported + "\"\n")}
	}
	got := unusedArrows(readTree(t, fstest.MapFS{"a/a.go": file("b"), "a/a_test.go": file("c")}),
		map[string][]string{"a": {"b", "c"}, "gone": {"b"}})
	want := []string{
		"package a may import c and does not: take the arrow out of the table",
		"package gone is in the table of arrows and does not exist",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestArrowsHaveNoCircle guards the table itself: what may import each other
// in a circle has no order.
func TestArrowsHaveNoCircle(t *testing.T) {
	table := arrows()
	var walk func(pkg string, from []string)
	walk = func(pkg string, from []string) {
		if slices.Contains(from, pkg) {
			t.Fatalf("circle: %v", append(from, pkg))
		}
		for _, to := range table[pkg] {
			walk(to, append(slices.Clip(from), pkg))
		}
	}
	for pkg := range table {
		walk(pkg, nil)
	}
}

func TestNewArrowIsNamed(t *testing.T) {
	file := func(pkg, imported string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package " + pkg + "\nimport _ \"" + module + "/" + imported + "\"\n")}
	}
	wrong := wrongArrows(readTree(t, fstest.MapFS{
		"session/good.go":                    file("session", "handshake"),
		"session/bad.go":                     file("session", "transport"),
		"session/bad_test.go":                file("session", "transport"),
		"transport/bad.go":                   file("transport", "test/lab"),
		"somewhere/new.go":                   file("somewhere", "did"),
		"session/testdata/ignored.go":        file("ignored", "transport"),
		"session/.hidden/ignored.go":         file("ignored", "transport"),
		"test/demo/good.go":                  file("demo", "test/lab"),
		"internal/proto/wire/not-go.go.orig": file("wire", "did"),
	}))
	want := []string{
		"session/bad.go: package session must not import transport: the design has no such arrow",
		"somewhere/new.go: package somewhere is not in the table of arrows: say there what it may import",
		"transport/bad.go: package transport must not import test/lab: the design has no such arrow",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("got  %q\nwant %q", wrong, want)
	}
}
