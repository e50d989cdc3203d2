package archtest

import (
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
)

// arrows says which packages of this module each package may import. Packages
// that only tests use are on no right side: tests may import anything.
func arrows() map[string][]string {
	below := []string{"session", "handshake", "rotation", "did", "transport", "transport/discovery", "tun", "routing",
		"internal/datapath", "internal/record", "internal/link", "internal/wire", "internal/config", "internal/control",
		"internal/account", "internal/invite", "internal/capture", "internal/guard", "internal/health", "internal/metrics", "internal/confine"}
	return map[string][]string{
		"internal/wire":       nil,
		"internal/ip":         nil,
		"internal/guard":      nil,
		"internal/packetgen":  {"internal/wire"}, // tests only
		"internal/x25519":     nil,
		"did":                 {"internal/wire", "internal/x25519"},
		"handshake":           {"did", "internal/wire", "internal/x25519"},
		"rotation":            {"internal/wire"},
		"internal/record":     {"internal/wire"},
		"internal/link":       {"internal/record", "internal/wire"},
		"session":             {"did", "handshake", "rotation", "internal/guard", "internal/record", "internal/link", "internal/wire"},
		"transport":           {"internal/guard", "internal/link", "internal/record", "internal/wire"},
		"transport/discovery": {"did", "internal/guard", "internal/wire"},
		"tun":                 {"internal/ifname", "internal/ip", "internal/wire"},
		"routing":             {"internal/account", "internal/ip"},
		"internal/datapath":   {"internal/guard", "internal/ip", "internal/record", "routing", "transport", "tun", "internal/link", "internal/wire"},
		"internal/config":     {"internal/account", "did", "internal/ifname", "internal/wire", "routing", "session"},
		"internal/ifname":     nil,
		"internal/hosts":      nil,
		"internal/control":    {"internal/account", "did", "internal/wire"},
		// Links and promises are checked against the config, what a link names as
		// an endpoint against what nodes dial and what this machine has.
		"internal/invite":  {"internal/account", "did", "internal/config", "internal/wire", "routing", "transport"},
		"internal/confine": {"internal/account"},
		"internal/account": nil, // who the system user is
		"internal/node":    below,

		// What shows a node: metrics read what sessions count, capture formats what
		// it is given, health reads a status.
		"internal/metrics":   {"internal/link", "session", "transport"},
		"internal/capture":   nil,
		"internal/health":    {"internal/control"},
		"internal/logs":      nil,
		"internal/bugreport": nil,
		"internal/screen":    {"internal/control", "internal/health"},
		"internal/top":       {"internal/control", "internal/health", "internal/screen"},
		// The doctor reads the config as the node does, asks a node, and tries the
		// way to peers with the node's own sockets.
		"internal/doctor": {"internal/account", "did", "routing", "transport", "internal/config", "internal/control", "internal/health", "internal/link", "internal/wire"},
		"internal/demo":   {"internal/lab", "internal/control", "did", "internal/config"},
		"cmd/l2tun": {"internal/account", "internal/node", "internal/config", "internal/control", "internal/demo", "internal/invite", "internal/logs", "did",
			"internal/health", "internal/hosts", "internal/screen", "internal/top", "internal/doctor", "internal/bugreport"},

		// What serves tests and scripts.
		"internal/lab":       nil,
		"internal/bubble":    nil,
		"internal/memnet":    {"internal/link", "internal/wire"},
		"tun/tuntest":        {"tun"},
		"internal/bench":     {"internal/control", "internal/lab"},
		"internal/bench/cmd": {"internal/bench"},
		"internal/archtest":  nil,
		"internal/e2e":       nil,
		"internal/second":    nil, // a second handshake, tests only: nobody imports it
		"internal/symbolic":  nil, // a model of the handshake, tests only
		"scripts/testsum":    nil,
		"scripts/licenses":   nil,
		"packaging/deb":      nil, // a module of its own: what builds packages is not in ours
		"internal/faults":    nil, // cases are data: they name tests and import nothing
		"scripts/faultrun":   {"internal/faults"},
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

// TestArrowsHaveNoCircle guards the table itself: what may import each other
// in a circle has no order.
func TestArrowsHaveNoCircle(t *testing.T) {
	table := arrows()
	var walk func(pkg string, way []string)
	walk = func(pkg string, way []string) {
		if slices.Contains(way, pkg) {
			t.Fatalf("circle: %v", append(way, pkg))
		}
		for _, to := range table[pkg] {
			walk(to, append(slices.Clip(way), pkg))
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
		"session/good.go":              file("session", "handshake"),
		"session/bad.go":               file("session", "transport"),
		"session/bad_test.go":          file("session", "transport"),
		"transport/bad.go":             file("transport", "internal/lab"),
		"somewhere/new.go":             file("somewhere", "did"),
		"session/testdata/ignored.go":  file("ignored", "transport"),
		"session/.hidden/ignored.go":   file("ignored", "transport"),
		"internal/demo/good.go":        file("demo", "internal/lab"),
		"internal/wire/not-go.go.orig": file("wire", "did"),
	}))
	want := []string{
		"session/bad.go: package session must not import transport: the design has no such arrow",
		"somewhere/new.go: package somewhere is not in the table of arrows: say there what it may import",
		"transport/bad.go: package transport must not import internal/lab: the design has no such arrow",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("got  %q\nwant %q", wrong, want)
	}
}
