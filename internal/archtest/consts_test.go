package archtest

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"
)

// units are the durations of package time that constants are made of.
var units = map[string]time.Duration{
	"Nanosecond": time.Nanosecond, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
	"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
}

// product says that a package is linked into the program.
func product(pkg string) bool {
	return !strings.HasPrefix(pkg, "test/") && !strings.HasPrefix(pkg, "scripts") && pkg != "internal/archtest"
}

// timers returns the constants of product packages that are durations, by
// package and name.
func timers(t *testing.T, all []source) map[string]time.Duration {
	t.Helper()
	found := make(map[string]time.Duration)
	for _, s := range all {
		if s.test || !product(s.pkg) {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
				durations(g, s.pkg, found)
			}
		}
	}
	return found
}

func durations(g *ast.GenDecl, pkg string, found map[string]time.Duration) {
	for _, spec := range g.Specs {
		v := spec.(*ast.ValueSpec)
		for i, x := range v.Values {
			if n, ok := duration(x); ok {
				if d, exact := constant.Int64Val(n); exact {
					found[pkg+"."+v.Names[i].Name] = time.Duration(d)
				}
			}
		}
	}
}

// duration evaluates an expression of numbers and units of time; ok says that
// it has a unit in it and nothing else.
func duration(x ast.Expr) (constant.Value, bool) {
	switch x := x.(type) {
	case *ast.SelectorExpr:
		pkg, _ := x.X.(*ast.Ident)
		d, ok := units[x.Sel.Name]
		return constant.MakeInt64(int64(d)), ok && pkg != nil && pkg.Name == "time"
	case *ast.BinaryExpr:
		a, ok1 := duration(x.X)
		b, ok2 := duration(x.Y)
		if a == nil || b == nil || x.Op != token.MUL && x.Op != token.ADD {
			return nil, false
		}
		return constant.BinaryOp(a, x.Op, b), ok1 || ok2
	case *ast.BasicLit:
		return constant.MakeFromLiteral(x.Value, x.Kind, 0), false
	}
	return nil, false
}
