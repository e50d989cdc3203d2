package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"testing"
	"testing/fstest"
)

// A subtest that fails by its parent's *testing.T takes its message with it: the parent
// is not the goroutine that runs, and what is shown says so and nothing else. Helpers
// hold a *testing.T of their own ("holders" here: types with a field of that type or of
// another holder's), so a subtest must not use one that was made outside of it, unless
// it gives it its own *testing.T. As types are known by their names only, this is of one
// package at a time.

// holding are the names of the types of a package that hold a *testing.T, and how
// its functions, and its methods whoever has them, return them.
type holding struct {
	types   map[string]bool
	results map[string][]bool
}

// holders finds them.
func holders(files []*ast.File) *holding {
	h := &holding{types: make(map[string]bool), results: make(map[string][]bool)}
	for grown := true; grown; {
		grown = false
		inspect(files, func(n ast.Node) {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || h.types[spec.Name.Name] {
				return
			}
			if st, ok := spec.Type.(*ast.StructType); ok && slices.ContainsFunc(st.Fields.List, func(f *ast.Field) bool { return h.held(f.Type) }) {
				h.types[spec.Name.Name], grown = true, true
			}
		})
	}
	inspect(files, func(n ast.Node) {
		fn, ok := n.(*ast.FuncDecl)
		if !ok || fn.Type.Results == nil {
			return
		}
		var out []bool
		for _, f := range fn.Type.Results.List {
			for range max(1, len(f.Names)) {
				out = append(out, h.held(f.Type))
			}
		}
		if slices.Contains(out, true) {
			h.results[fn.Name.Name] = out
		}
	})
	return h
}

func inspect(files []*ast.File, f func(ast.Node)) {
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool { f(n); return true })
	}
}

// held reports whether values of a type are or hold a *testing.T, or are many that do.
func (h *holding) held(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.Ident:
		return h.types[t.Name]
	case *ast.StarExpr:
		return h.held(t.X)
	case *ast.ArrayType:
		return h.held(t.Elt)
	case *ast.MapType:
		return h.held(t.Value)
	case *ast.SelectorExpr:
		return isTesting(t)
	}
	return false
}

// isTesting recognises testing.T, testing.B and testing.TB.
func isTesting(s *ast.SelectorExpr) bool {
	pkg, ok := s.X.(*ast.Ident)
	return ok && pkg.Name == "testing" && slices.Contains([]string{"T", "B", "TB"}, s.Sel.Name)
}

// value reports whether the i-th value of an expression holds one.
func (h *holding) value(e ast.Expr, i int) bool {
	switch e := e.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := e.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			if x, ok := f.X.(*ast.Ident); !ok || x.Obj != nil { // not another package's
				name = f.Sel.Name
			}
		}
		return i < len(h.results[name]) && h.results[name][i]
	case *ast.UnaryExpr: // &world{...}, and what range goes over
		return h.value(e.X, 0)
	case *ast.CompositeLit:
		return h.held(e.Type)
	case *ast.Ident:
		return h.variable(e)
	}
	return false
}

// variable reports whether an identifier is a variable that holds one.
func (h *holding) variable(id *ast.Ident) bool {
	if id.Obj == nil || id.Obj.Kind != ast.Var {
		return false
	}
	switch d := id.Obj.Decl.(type) {
	case *ast.Field:
		return h.held(d.Type)
	case *ast.ValueSpec:
		return d.Type != nil && h.held(d.Type)
	case *ast.AssignStmt:
		for i, left := range d.Lhs {
			if l, ok := left.(*ast.Ident); !ok || l.Name != id.Name {
				continue
			}
			if len(d.Rhs) == len(d.Lhs) {
				return h.value(d.Rhs[i], 0)
			}
			if u, ok := d.Rhs[0].(*ast.UnaryExpr); ok { // range
				return i == 1 && h.value(u, 0)
			}
			return h.value(d.Rhs[0], i)
		}
	}
	return false
}

// subtest returns the function of a call of Run that begins a subtest, and the name that
// its *testing.T has there.
func subtest(n ast.Node) (f *ast.FuncLit, own string) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 2 {
		return nil, ""
	}
	run, ok := call.Fun.(*ast.SelectorExpr)
	f, is := call.Args[1].(*ast.FuncLit)
	if !ok || !is || run.Sel.Name != "Run" || len(f.Type.Params.List) != 1 {
		return nil, ""
	}
	param := f.Type.Params.List[0]
	star, ok := param.Type.(*ast.StarExpr)
	if !ok {
		return nil, ""
	}
	if t, ok := star.X.(*ast.SelectorExpr); !ok || !isTesting(t) {
		return nil, ""
	}
	if len(param.Names) == 1 {
		own = param.Names[0].Name
	}
	return f, own
}

// given are the variables, by where they are declared, to a field of which a subtest
// assigns its own *testing.T.
func given(f *ast.FuncLit, own string) (all []token.Pos) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 && len(a.Rhs) == 1 {
			field, ok := a.Lhs[0].(*ast.SelectorExpr)
			from, is := a.Rhs[0].(*ast.Ident)
			if ok && is && from.Name == own {
				if x, ok := field.X.(*ast.Ident); ok && x.Obj != nil {
					all = append(all, x.Obj.Pos())
				}
			}
		}
		return true
	})
	return all
}

// borrowed returns a sentence for each subtest that uses what holds its parent's
// *testing.T.
func borrowed(t *testing.T, all []source) (wrong []string) {
	t.Helper()
	packages := make(map[string][]*ast.File)
	paths := make(map[*ast.File]string)
	for _, s := range all {
		f := parseMode(t, s, 0) // with the objects of identifiers
		dir := path.Dir(s.path) + " " + f.Name.Name
		packages[dir] = append(packages[dir], f)
		paths[f] = s.path
	}
	for _, files := range packages {
		h := holders(files)
		for _, file := range files {
			inspect([]*ast.File{file}, func(n ast.Node) {
				f, own := subtest(n)
				if f == nil {
					return
				}
				free := given(f, own)
				seen := make(map[string]bool)
				ast.Inspect(f.Body, func(n ast.Node) bool {
					id, ok := n.(*ast.Ident)
					if !ok || id.Obj == nil || id.Obj.Pos() >= f.Pos() || seen[id.Name] || slices.Contains(free, id.Obj.Pos()) || !h.variable(id) {
						return true
					}
					seen[id.Name] = true
					wrong = append(wrong, fmt.Sprintf("%s: a subtest uses %s, which has its parent's *testing.T", paths[file], id.Name))
					return true
				})
			})
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestSubtestsReportForThemselves(t *testing.T) {
	for _, w := range borrowed(t, tree(t)) {
		t.Error(w)
	}
}

func TestABorrowedTestIsNamed(t *testing.T) {
	const code = `package p
type world struct { *testing.T }
type node struct { w *world }
func pair(t *testing.T) (*world, *node, int) { return nil, nil, 0 }
func (w *world) part(name string, f func(*testing.T)) {
	whole := w.T
	whole.Run(name, func(t *testing.T) { w.T = t; f(t) })
}
func TestA(t *testing.T) {
	w, a, n := pair(t)
	t.Run("x", func(t *testing.T) { a.ok(); t.Log(n) })
	t.Run("y", func(u *testing.T) { t.Log(); w, _, _ := pair(u); w.ok() })
	w.part("z", func(t *testing.T) { w.ok() })
	for _, b := range []*node{a} {
		w.Run("v", func(*testing.T) { b.ok() })
	}
}
`
	got := borrowed(t, readTree(t, fstest.MapFS{"p/p_test.go": {Data: []byte(code)}}))
	var want []string
	for _, name := range []string{"a", "b", "t"} {
		want = append(want, "p/p_test.go: a subtest uses "+name+", which has its parent's *testing.T")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
