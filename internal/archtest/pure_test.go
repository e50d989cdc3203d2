package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// pure are the packages that are pure machines: bytes or events in, results out,
// the time as an argument.
func pure() []string {
	return []string{"filter", "handshake", "network", "rotation", "internal/app/policy", "internal/proto/gossip", "internal/proto/incarnation", "internal/proto/mapping", "internal/proto/nat", "internal/proto/paths", "internal/proto/relay", "internal/proto/settings", "internal/proto/sleep", "internal/proto/state", "internal/base/backoff", "internal/base/lograte"}
}

// impure returns a sentence for each goroutine, socket, clock and log in a pure
// package.
func impure(t *testing.T, all []source) (wrong []string) {
	t.Helper()
	for _, s := range all {
		if s.test || !slices.Contains(pure(), s.pkg) {
			continue
		}
		for _, i := range s.imports {
			if slices.Contains([]string{"net", "os", "log", "syscall", "context", "golang.org/x/sys/unix"}, i) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is pure and must not import %s", s.path, s.pkg, i))
			}
		}
		wrong = append(wrong, impureCode(t, s)...)
	}
	return wrong
}

// impureCode looks for go statements, for what reads or awaits the clock, and
// for logging. Secrets may say through slog.Value how they are hidden.
func impureCode(t *testing.T, s source) (wrong []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	banned := map[string][]string{
		"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"},
		"slog": {"Logger", "Default", "New", "With", "Log", "Debug", "Info", "Warn", "Error"},
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			wrong = append(wrong, fmt.Sprintf("%s: %s is pure and must not start goroutines", s.path, s.pkg))
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && slices.Contains(banned[x.Name], n.Sel.Name) {
				wrong = append(wrong, fmt.Sprintf("%s: %s is pure and must not use %s.%s", s.path, s.pkg, x.Name, n.Sel.Name))
			}
		}
		return true
	})
	return wrong
}

func TestPurePackages(t *testing.T) {
	for _, w := range impure(t, tree(t)) {
		t.Error(w)
	}
}

// concurrent returns a sentence for each place that starts a goroutine or a parallel
// test in the packages that a script tests without the race detector.
func concurrent(t *testing.T, all []source, script string) (wrong []string) {
	t.Helper()
	list := regexp.MustCompile(`(?m)^alone=\(([^)]*)\)`).FindStringSubmatch(script)
	if list == nil {
		t.Fatal("the script has no list alone=(...)")
	}
	pkgs := strings.Fields(strings.ReplaceAll(list[1], "./", ""))
	for _, s := range all {
		if slices.Contains(pkgs, s.pkg) {
			wrong = append(wrong, slices.Repeat([]string{fmt.Sprintf("%s: %s is tested without the race detector and must not start goroutines", s.path, s.pkg)}, starts(t, s))...)
		}
	}
	return wrong
}

// starts counts the places of a file that start a goroutine or a parallel test.
func starts(t *testing.T, s source) (n int) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.GoStmt:
			n++
		case *ast.CallExpr:
			if fun, ok := node.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Go", "Parallel"}, fun.Sel.Name) {
				n++
			}
		}
		return true
	})
	return n
}

func TestOneGoroutineWithoutTheRaceDetector(t *testing.T) {
	script, err := os.ReadFile("../../scripts/test")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range concurrent(t, tree(t), string(script)) {
		t.Error(w)
	}
	const code = "package p\nfunc f() { go f(); wg.Go(f); t.Parallel(); f() }\n"
	all := readTree(t, fstest.MapFS{"rotation/a_test.go": {Data: []byte(code)}, "session/a.go": {Data: []byte(code)}})
	if got := concurrent(t, all, "alone=(./did\n\t./rotation)\n"); len(got) != 3 {
		t.Errorf("%q", got)
	}
}

// What a script compiles without the race detector is internal to a library, and computes
// on the goroutine of its caller: it starts none, and has no state that callers share.
func TestLibrariesWithoutTheRaceDetector(t *testing.T) {
	script, err := os.ReadFile("../../scripts/test")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{$p := .}}{{range .GoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}`, "./...")
	c.Dir = "../.."
	files, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	patterns := regexp.MustCompile(`-gcflags=(\S+)\.\.\.internal/\.\.\.=[^']*-race=false`).FindAllStringSubmatch(string(script), -1)
	if n := strings.Count(string(script), "-race=false"); n != len(patterns) {
		t.Errorf("-race=false is in scripts/test %d times, for what is internal to a library %d times", n, len(patterns))
	}
	for _, p := range patterns {
		used := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(p[1])+`\S*internal(?:/\S*)? (.+)$`).FindAllSubmatch(files, -1)
		if len(used) == 0 {
			t.Errorf("nothing internal to %s is used", p[1])
		}
		for _, file := range used {
			text, err := os.ReadFile(string(file[1]))
			if err != nil {
				t.Fatal(err)
			}
			if starts(t, source{path: string(file[1]), text: text}) > 0 || regexp.MustCompile(`(?m)^(import)?\s*"sync(/atomic)?"`).Match(text) {
				t.Errorf("%s starts a goroutine or shares state, and is compiled without the race detector", file[1])
			}
		}
	}
}

func TestImpurityIsNamed(t *testing.T) {
	const code = "package p\nimport (\"log/slog\"; \"net\"; \"time\")\nfunc f(now time.Time) { go f(time.Now()); slog.Info(\"\") }\nvar _ slog.Value\n"
	file := &fstest.MapFile{Data: []byte(code)}
	got := strings.Join(impure(t, readTree(t, fstest.MapFS{
		"rotation/a.go": file, "rotation/a_test.go": file, "session/a.go": file})), "\n")
	want := `rotation/a.go: rotation is pure and must not import net
rotation/a.go: rotation is pure and must not start goroutines
rotation/a.go: rotation is pure and must not use time.Now
rotation/a.go: rotation is pure and must not use slog.Info`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
