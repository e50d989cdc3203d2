package faults

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
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

// M5: the number of targets, the committed corpus of each, and that every seed of
// every target passes. Fuzzing itself is scripts/fuzz's.
func TestFuzzTargets(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	count, seeds, without := 0, 0, 0
	var pkgs []string
	for pkg, names := range fuzzTargets(t) {
		pkgs = append(pkgs, "./"+pkg)
		for _, name := range names {
			count++
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
	slices.Sort(pkgs)
	c := exec.CommandContext(ctx, "go", append([]string{"test", "-vet=off", "-run", "^Fuzz"}, pkgs...)...)
	c.Dir = "../.."
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	Report(t, "M5", count >= 12 && without == 0, "%d targets in %d packages, %d committed inputs, every one passes", count, len(pkgs), seeds)
}

// M7: what the program is made of.
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
	modules := make(map[string]bool)
	for _, m := range list("-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/l2tun") {
		modules[m] = true
	}
	Report(t, "M7", true, "%d packages of %d modules in the program: no http3, qpack, http2, pprof or test code", len(deps), len(modules))
}
