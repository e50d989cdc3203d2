package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// Pure machines that are made of rooms: structs that are not exported, each with its
// fields in one file, which alone writes them. Some structs only hold rooms, or are
// entries that several write.
var rooms = map[string]struct {
	others []string // structs that are not rooms
	least  int      // fields that are to be found
}{
	"internal/proto/paths": {[]string{"rules", "path", "probe"}, 40},
	"internal/proto/relay": {[]string{"rules", "peer", "pair", "alarm"}, 35},
}

// TestEachFieldHasOneWriter: a field of a room is written in the file that declares
// it and nowhere else. Fields of rooms have names of their own, so that the name
// says which is meant.
func TestEachFieldHasOneWriter(t *testing.T) {
	for pkg, r := range rooms {
		wrong, fields := writers(t, tree(t), pkg, r.others)
		for _, w := range wrong {
			t.Error(w)
		}
		if fields < r.least {
			t.Errorf("%s: only %d fields found", pkg, fields)
		}
	}
}

// writers returns a sentence for each field of a package's rooms with two homes or
// written elsewhere, and the number of fields.
func writers(t *testing.T, all []source, pkg string, others []string) (wrong []string, fields int) {
	t.Helper()
	fset, parsed, home := token.NewFileSet(), map[string]*ast.File{}, map[string]string{}
	for _, s := range all {
		if s.pkg != pkg || s.test {
			continue
		}
		f, err := parser.ParseFile(fset, s.path, s.text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed[s.path] = f
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !isRoom(spec, others) {
				return true
			}
			for _, field := range spec.Type.(*ast.StructType).Fields.List {
				for _, id := range field.Names {
					if other := home[id.Name]; other != "" && other != s.path {
						wrong = append(wrong, s.path+": "+id.Name+" is a field in "+other+" too")
					}
					home[id.Name] = s.path
				}
			}
			return true
		})
	}
	for path, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, w := range written(n) {
				if s, ok := w.(*ast.SelectorExpr); ok && home[s.Sel.Name] != "" && home[s.Sel.Name] != path {
					wrong = append(wrong, fset.Position(w.Pos()).String()+": "+s.Sel.Name+" is written here, but belongs to "+home[s.Sel.Name])
				}
			}
			return true
		})
	}
	return wrong, len(home)
}

func isRoom(s *ast.TypeSpec, others []string) bool {
	_, ok := s.Type.(*ast.StructType)
	return ok && !s.Name.IsExported() && !slices.Contains(others, s.Name.Name)
}

// written are the expressions that a statement assigns to.
func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	}
	return nil
}

func TestWritersAreFound(t *testing.T) {
	all := readTree(t, fstest.MapFS{
		"p/a.go":      {Data: []byte("package p\ntype a struct { own, twice int }\nfunc (x *a) f() { x.own++ }\n")},
		"p/b.go":      {Data: []byte("package p\ntype b struct { twice int }\ntype held struct { own int }\nfunc g(x *a) { x.own = 1; y := x.own; _ = y }\n")},
		"p/b_test.go": {Data: []byte("package p\nfunc h(x *a) { x.own = 2 }\n")},
	})
	wrong, fields := writers(t, all, "p", []string{"held"})
	slices.Sort(wrong)
	want := []string{"p/b.go: twice is a field in p/a.go too", "p/b.go:4:16: own is written here, but belongs to p/a.go"}
	if strings.Join(wrong, "\n") != strings.Join(want, "\n") || fields != 2 {
		t.Errorf("%d fields, got\n%s\nwant\n%s", fields, strings.Join(wrong, "\n"), strings.Join(want, "\n"))
	}
}
