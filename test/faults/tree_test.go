package faults

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fuzzTargets are the targets of the tree by folder.
func fuzzTargets(t *testing.T) map[string][]string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	targets := make(map[string][]string)
	err := filepath.WalkDir("../..", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, "_test.go") {
			return err
		}
		text, err := os.ReadFile(p)
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			pkg, _ := filepath.Rel("../..", filepath.Dir(p))
			targets[pkg] = append(targets[pkg], m[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return targets
}

// fuzzKinds are the inputs that the catalogue names, each with a target that
// reads it.
func fuzzKinds() map[string][]string {
	return map[string][]string{
		"hello":            {"handshake FuzzReaders", "handshake FuzzShortReaders", "internal/proto/wire FuzzHandshakeHeader"},
		"cookie (a Retry)": {"internal/net/udp FuzzClassify"},
		"record":           {"internal/proto/record FuzzOpen", "internal/proto/wire FuzzRecordHeader"},
		"frame reader":     {"internal/net/utcp FuzzFrames", "session FuzzFrames"},
		"discovery":        {"transport/discovery FuzzParse"},
		"inner v4 and v6":  {"routing FuzzPacket", "internal/packet/datapath FuzzPlaintexts"},
		"GSO split":        {"tun FuzzSegments"},
		"GRO":              {"internal/packet/datapath FuzzJoin"},
		"config":           {"internal/app/config FuzzParse"},
		"IPC":              {"internal/app/control FuzzServer", "internal/app/control FuzzAnswers"},
		"state file":       {"did FuzzKeyFile"},
		"reassembly":       {"internal/net/link FuzzParts", "internal/net/msgchan FuzzPieces"},
	}
}

// M5: a target for each kind of input, and the committed corpus of each target. Every
// input of it passes: go test of its package runs it, and so does each fuzzing.
func TestFuzzTargets(t *testing.T) {
	seeds, without, pkgs := 0, 0, 0
	var all []string
	for pkg, names := range fuzzTargets(t) {
		pkgs++
		for _, name := range names {
			all = append(all, pkg+" "+name)
			files, err := filepath.Glob(filepath.Join("../..", pkg, "testdata/fuzz", name, "*"))
			if err != nil {
				t.Fatal(err)
			}
			if seeds += len(files); len(files) == 0 {
				without++
				t.Logf("%s %s has no committed corpus", pkg, name)
			}
		}
	}
	for kind, targets := range fuzzKinds() {
		for _, target := range targets {
			if !slices.Contains(all, target) {
				t.Errorf("%s: there is no %s", kind, target)
			}
		}
	}
	Report(t, "M5", len(all) >= 12 && without == 0, "%d targets in %d packages, for each of the %d kinds that the catalogue names; %d committed inputs",
		len(all), pkgs, len(fuzzKinds()), seeds)
}

// M7: what the program is made of: the modules of testdata/modules and no others.
// A new one is looked at, then written there.
func TestDependencyClosure(t *testing.T) {
	list := func(args ...string) []string {
		t.Helper()
		c := exec.Command("go", append([]string{"list"}, args...)...)
		c.Dir = "../.."
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	banned := regexp.MustCompile(`^(github\.com/quic-go/quic-go/http3|github\.com/quic-go/qpack|golang\.org/x/net/http2|golang\.org/x/net/(html|websocket|trace)|net/http/pprof|net/http/httptest|plugin|github\.com/libertaria-project/l2tun/internal/(memnet|bubble|faults|e2e|archtest|bench|second|symbolic))$`)
	deps := list("-deps", "./cmd/l2tun")
	for _, d := range deps {
		if banned.MatchString(d) {
			t.Errorf("the program holds %s", d)
		}
	}
	modules := slices.Compact(slices.Sorted(slices.Values(list("-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./cmd/l2tun"))))
	text, err := os.ReadFile("testdata/modules")
	if err != nil {
		t.Fatal(err)
	}
	if known := strings.Fields(string(text)); !slices.Equal(modules, known) {
		t.Errorf("the program has the modules\n%s\nand testdata/modules says\n%s", strings.Join(modules, "\n"), strings.Join(known, "\n"))
	}
	Report(t, "M7", true, "%d packages of %d modules in the program, those of the list and no others: no http3, qpack, http2, pprof or test code", len(deps), len(modules))
}
