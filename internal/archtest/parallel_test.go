package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// sequential returns a sentence for each test of whole nodes that neither runs beside
// others nor says why it cannot.
func sequential(t *testing.T, all []source) (wrong []string) {
	t.Helper()
	for _, s := range all {
		if s.pkg != "test/e2e" || !s.test {
			continue
		}
		for _, d := range parseComments(t, s).Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" && !slices.ContainsFunc(fn.Body.List, isParallel) &&
				!strings.Contains(fn.Doc.Text(), "Alone: ") {
				wrong = append(wrong, fmt.Sprintf("%s: %s calls no t.Parallel, nor says \"Alone: \" and why", s.path, fn.Name.Name))
			}
		}
	}
	return wrong
}

// isParallel recognises t.Parallel(), and beside(t), which calls it for short forms.
func isParallel(s ast.Stmt) bool {
	x, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := x.X.(*ast.CallExpr)
	if !ok {
		return false
	}
	if f, ok := call.Fun.(*ast.Ident); ok {
		return f.Name == "beside"
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && method.Sel.Name == "Parallel"
}

func TestNodesAreTestedSideBySide(t *testing.T) {
	for _, w := range sequential(t, tree(t)) {
		t.Error(w)
	}
}

func TestASequentialTestIsNamed(t *testing.T) {
	const code = "package e2e\nfunc TestA(t *testing.T) {}\nfunc TestB(t *testing.T) { onlyLong(t); t.Parallel() }\nfunc TestD(t *testing.T) { beside(t) }\n// Alone: it is large.\nfunc TestC(t *testing.T) {}\n"
	got := sequential(t, readTree(t, fstest.MapFS{"test/e2e/a_test.go": {Data: []byte(code)}}))
	if !slices.Equal(got, []string{`test/e2e/a_test.go: TestA calls no t.Parallel, nor says "Alone: " and why`}) {
		t.Errorf("%q", got)
	}
}
