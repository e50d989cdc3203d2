package relay

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestEachFieldHasOneWriter: a field of a room is written in the file that declares
// it and nowhere else. Fields of rooms have names of their own, so that the name
// says which is meant.
func TestEachFieldHasOneWriter(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset, parsed, home := token.NewFileSet(), map[string]*ast.File{}, map[string]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		parsed[name] = f
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && isRoom(s) {
				for _, field := range s.Type.(*ast.StructType).Fields.List {
					for _, id := range field.Names {
						if other := home[id.Name]; other != "" && other != name {
							t.Errorf("%s is a field in %s and in %s", id.Name, other, name)
						}
						home[id.Name] = name
					}
				}
			}
			return true
		})
	}
	for name, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, w := range written(n) {
				if s, ok := w.(*ast.SelectorExpr); ok && home[s.Sel.Name] != "" && home[s.Sel.Name] != name {
					t.Errorf("%v: %s is written here, but belongs to %s", fset.Position(w.Pos()), s.Sel.Name, home[s.Sel.Name])
				}
			}
			return true
		})
	}
	if len(home) < 35 {
		t.Errorf("only %d fields found", len(home))
	}
}

// isRoom reports whether a type is a room: a struct with fields that others do not
// see, but those that only hold rooms.
func isRoom(s *ast.TypeSpec) bool {
	_, ok := s.Type.(*ast.StructType)
	return ok && !s.Name.IsExported() && s.Name.Name != "rules" && s.Name.Name != "peer" && s.Name.Name != "pair" && s.Name.Name != "alarm"
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
