package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A door says where a library may be imported, in tests too.
type door struct {
	library string
	pkgs    []string
	linux   bool // only in files that are built for Linux by their name
	tests   bool // only in tests
}

func doors() []door {
	return []door{
		{library: "github.com/spf13/cobra", pkgs: []string{"cmd/l2tun"}},
		{library: "github.com/mdp/qrterminal", pkgs: []string{"cmd/l2tun"}}, // what people see
		{library: "golang.zx2c4.com/wireguard", pkgs: []string{"tun"}},
		{library: "github.com/vishvananda/netlink", pkgs: []string{"tun", "test/tuntest", "routing", "test/lab"}, linux: true},
		{library: "github.com/vishvananda/netns", pkgs: []string{"tun", "test/tuntest", "routing", "test/lab"}, linux: true},
		{library: "github.com/quic-go/quic-go", pkgs: []string{"internal/net/quicnet"}},
		{library: "github.com/huin/goupnp", pkgs: []string{"internal/net/portmap"}},
		{library: "github.com/cloudflare/circl", pkgs: []string{"did", "handshake", "internal/proto/x25519"}},
		// The BLAKE3 and ML-DSA that the product does not use, for what must not share with it.
		{library: "filippo.io/mldsa", pkgs: []string{"test/second", "test/symbolic"}},
		{library: "github.com/zeebo/blake3", pkgs: []string{"test/second", "test/symbolic"}},
		{library: "github.com/gaissmai/bart", pkgs: []string{"routing"}},
		{library: "github.com/prometheus", pkgs: []string{"internal/show/metrics"}},
		{library: "github.com/gopacket/gopacket", pkgs: []string{"internal/show/capture"}, tests: true}, // its tables take 6 MB of each process that has it
		{library: "charm.land/bubbletea/v2", pkgs: []string{"internal/show/top"}},
		{library: "charm.land/lipgloss/v2", pkgs: []string{"internal/show/screen", "internal/show/top"}},
		{library: "github.com/pelletier/go-toml", pkgs: []string{"internal/app/config"}},
		{library: "kernel.org/pub/linux/libs/security/libcap/psx", pkgs: []string{"internal/app/confine"}, linux: true},
		{library: "github.com/landlock-lsm/go-landlock", pkgs: []string{"internal/app/confine"}, linux: true},
		{library: "github.com/godbus/dbus", pkgs: []string{"internal/app/hostnames"}},
		{library: "github.com/coreos/go-systemd", pkgs: []string{"cmd/l2tun"}},
		{library: "gonum.org/v1/plot", pkgs: []string{"test/plot"}}, // a module of its own: draws docs/bench.svg
	}
}

// admits says whether a file may import the door's library.
func (d door) admits(s source) bool {
	onLinux := strings.HasSuffix(s.path, "_linux.go") || strings.HasSuffix(s.path, "_linux_test.go")
	return slices.Contains(d.pkgs, s.pkg) && (onLinux || !d.linux) && (s.test || !d.tests)
}

// wrongDoors returns a sentence for each import of a library elsewhere, and for
// each import of internal/proto/wire that is not the standard library's.
func wrongDoors(all []source) (wrong []string) {
	for _, s := range all {
		for _, i := range s.external() {
			if s.pkg == "internal/proto/wire" && !s.test {
				wrong = append(wrong, fmt.Sprintf("%s: internal/proto/wire must not import %s: it has the standard library only", s.path, i))
			}
			for _, d := range doors() {
				if (i == d.library || strings.HasPrefix(i, d.library+"/")) && !d.admits(s) {
					wrong = append(wrong, fmt.Sprintf("%s: package %s must not import %s: %s", s.path, s.pkg, i, d))
				}
			}
		}
	}
	return wrong
}

func (d door) String() string {
	where := strings.Join(d.pkgs, ", ")
	if d.linux {
		where = "*_linux.go of " + where
	}
	if d.tests {
		where = "tests of " + where
	}
	return "its door is " + where
}

func TestOneLibraryOneDoor(t *testing.T) {
	for _, w := range wrongDoors(tree(t)) {
		t.Error(w)
	}
}

func TestWrongDoorIsNamed(t *testing.T) {
	file := func(pkg, imported string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("package " + pkg + "\nimport _ \"" + imported + "\"\n")}
	}
	wrong := wrongDoors(readTree(t, fstest.MapFS{
		"internal/net/quicnet/good.go":       file("quicnet", "github.com/quic-go/quic-go/qlog"),
		"session/bad.go":                     file("session", "github.com/quic-go/quic-go"),
		"routing/good_linux.go":              file("routing", "github.com/vishvananda/netlink"),
		"routing/bad.go":                     file("routing", "github.com/vishvananda/netlink/nl"),
		"routing/like.go":                    file("routing", "github.com/vishvananda/netlinker"),
		"internal/show/capture/bad.go":       file("capture", "github.com/gopacket/gopacket/pcapgo"),
		"internal/show/capture/good_test.go": file("capture", "github.com/gopacket/gopacket/pcapgo"),
		"internal/proto/wire/bad.go":         file("wire", "golang.org/x/sys/cpu"),
		"internal/proto/wire/good.go":        file("wire", "encoding/binary"),
		"internal/proto/wire/our_test":       file("wire", "golang.org/x/sys/cpu"),
	}))
	want := []string{
		"internal/proto/wire/bad.go: internal/proto/wire must not import golang.org/x/sys/cpu: it has the standard library only",
		"internal/show/capture/bad.go: package internal/show/capture must not import github.com/gopacket/gopacket/pcapgo: its door is tests of internal/show/capture",
		"routing/bad.go: package routing must not import github.com/vishvananda/netlink/nl: its door is *_linux.go of tun, test/tuntest, routing, test/lab",
		"session/bad.go: package session must not import github.com/quic-go/quic-go: its door is internal/net/quicnet",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("got  %q\nwant %q", wrong, want)
	}
}
