package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/libertaria-project/l2tun"

// A source is one Go file.
type source struct {
	path    string // from the root, with slashes
	pkg     string // its folder, "." for the root
	test    bool
	text    []byte
	imports []string
}

// internal returns the folders of this module that the file imports.
func (s source) internal() (pkgs []string) {
	for _, i := range s.imports {
		if p, ours := strings.CutPrefix(i, module+"/"); ours {
			pkgs = append(pkgs, p)
		}
	}
	return pkgs
}

// external returns the imports that are neither ours nor the standard
// library's, whose paths have no dot in their first part.
func (s source) external() (paths []string) {
	for _, i := range s.imports {
		first, _, _ := strings.Cut(i, "/")
		if strings.Contains(first, ".") && i != module && !strings.HasPrefix(i, module+"/") {
			paths = append(paths, i)
		}
	}
	return paths
}

var (
	readOnce sync.Once
	whole    []source
)

// tree is this repository, read once for all tests.
func tree(t *testing.T) []source {
	t.Helper()
	readOnce.Do(func() { whole = readTree(t, os.DirFS("../..")) })
	if len(whole) < 50 {
		t.Fatalf("found %d Go files only: is this the root?", len(whole))
	}
	return whole
}

// readTree reads every Go file but those in testdata and hidden folders.
func readTree(t *testing.T, root fs.FS) (all []source) {
	t.Helper()
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && name != ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		s, err := readSource(root, p)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func readSource(root fs.FS, p string) (source, error) {
	text, err := fs.ReadFile(root, p)
	if err != nil {
		return source{}, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly)
	if err != nil {
		return source{}, err
	}
	s := source{path: p, pkg: path.Dir(p), test: strings.HasSuffix(p, "_test.go"), text: text}
	for _, i := range f.Imports {
		s.imports = append(s.imports, importPath(i))
	}
	return s, nil
}

// importPath unquotes what the parser has already accepted.
func importPath(i *ast.ImportSpec) string {
	p, _ := strconv.Unquote(i.Path.Value)
	return p
}
