package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// An extent is how large a type is: fields of its struct (an embedded type is
// one), methods, and files of the package that declare it or a method of it.
type extent struct{ fields, methods, files int }

// maxExtent and maxFuncLines bound what a reader has to hold in mind at once.
var maxExtent = extent{fields: 25, methods: 50, files: 5}

const maxFuncLines = 50

// slack is how far a listed number may lie above what it describes: changes beside
// each other need not all edit the list.
const slack = 5

// tooLarge are the types over the bounds, as large as they are today: none. A number
// follows its type down and never up; a type within the bounds leaves the list.
func tooLarge() map[string]extent {
	return map[string]extent{}
}

// tooLong are the functions over maxFuncLines, as long as they are today: none.
func tooLong() map[string]int {
	return map[string]int{}
}

// exceeds says whether a type is over a bound.
func (e extent) exceeds(bound extent) bool {
	return e.fields > bound.fields || e.methods > bound.methods || e.files > bound.files
}

// or returns the larger of each two numbers.
func (e extent) or(o extent) extent {
	return extent{max(e.fields, o.fields), max(e.methods, o.methods), max(e.files, o.files)}
}

func (e extent) String() string {
	return fmt.Sprintf("%d fields, %d methods, %d files", e.fields, e.methods, e.files)
}

// extents measures all types that are not in tests, by "folder.Name".
func extents(t *testing.T, all []source) map[string]extent {
	t.Helper()
	sizes, seen := make(map[string]extent), make(map[string]bool)
	for _, s := range all {
		if s.test {
			continue
		}
		for _, d := range parse(t, s).Decls {
			for name, e := range declared(d) {
				key := s.pkg + "." + name
				if !seen[key+" "+s.path] {
					seen[key+" "+s.path], e.files = true, 1
				}
				old := sizes[key]
				sizes[key] = extent{max(old.fields, e.fields), old.methods + e.methods, old.files + e.files}
			}
		}
	}
	return sizes
}

func parse(t *testing.T, s source) *ast.File {
	t.Helper()
	return parseMode(t, s, parser.SkipObjectResolution)
}

// parseComments is parse, with comments.
func parseComments(t *testing.T, s source) *ast.File {
	t.Helper()
	return parseMode(t, s, parser.SkipObjectResolution|parser.ParseComments)
}

func parseMode(t *testing.T, s source, mode parser.Mode) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), s.path, s.text, mode)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// declared returns what one declaration adds to which type.
func declared(d ast.Decl) map[string]extent {
	found := make(map[string]extent)
	switch d := d.(type) {
	case *ast.FuncDecl:
		if name := receiver(d); name != "" {
			found[name] = extent{methods: 1}
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if ts, ok := spec.(*ast.TypeSpec); ok {
				found[ts.Name.Name] = extent{fields: fields(ts.Type)}
			}
		}
	}
	return found
}

// receiver returns the name of a method's type, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	name := ""
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return name
}

func fields(x ast.Expr) (n int) {
	st, ok := x.(*ast.StructType)
	if !ok {
		return 0
	}
	for _, f := range st.Fields.List {
		n += max(1, len(f.Names))
	}
	return n
}

// wrongExtents returns a sentence for each type over a bound that is not listed
// as it is, and for each listed one that the list no longer describes.
func wrongExtents(sizes, listed map[string]extent) (wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(sizes)) {
		is, was := sizes[name], listed[name]
		switch over := is.exceeds(maxExtent); {
		case over && is.exceeds(was.or(maxExtent)):
			wrong = append(wrong, fmt.Sprintf("%s has %s, more than %s: it holds more than one concern", name, is, was.or(maxExtent)))
		case over && is.or(extent{was.fields - slack, was.methods - slack, was.files - slack}) != is:
			wrong = append(wrong, fmt.Sprintf("%s has shrunk: write %q: {%d, %d, %d} in the list", name, name, is.fields, is.methods, is.files))
		case !over && was != extent{}:
			wrong = append(wrong, fmt.Sprintf("%s has %s, which needs no exception: take it off the list", name, is))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if _, there := sizes[name]; !there {
			wrong = append(wrong, fmt.Sprintf("%s is listed and does not exist", name))
		}
	}
	return wrong
}

func TestObjectsAreSmall(t *testing.T) {
	for _, w := range wrongExtents(extents(t, tree(t)), tooLarge()) {
		t.Error(w)
	}
}

func TestFunctionsAreShort(t *testing.T) {
	lines := make(map[string]int)
	for _, s := range tree(t) {
		if !s.test {
			maps.Copy(lines, longFunctions(t, s))
		}
	}
	for _, w := range wrongLengths(lines, tooLong()) {
		t.Error(w)
	}
}

// longFunctions returns the functions over maxFuncLines, by "path name".
func longFunctions(t *testing.T, s source) map[string]int {
	t.Helper()
	long, fset := make(map[string]int), token.NewFileSet()
	f, err := parser.ParseFile(fset, s.path, s.text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFuncLines {
				long[s.path+" "+fn.Name.Name] = n
			}
		}
	}
	return long
}

// wrongLengths is wrongExtents for functions.
func wrongLengths(lines, listed map[string]int) (wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		if n := lines[name]; n > max(maxFuncLines, listed[name]) {
			wrong = append(wrong, fmt.Sprintf("%s has %d lines, more than %d", name, n, max(maxFuncLines, listed[name])))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if n := lines[name]; n < listed[name]-slack {
			wrong = append(wrong, fmt.Sprintf("%s has shrunk to %d lines, 0 for within the bound: mend the list", name, n))
		}
	}
	return wrong
}

func TestLargeObjectIsNamed(t *testing.T) {
	large := "package p\ntype Large struct { A" + strings.Repeat(", A", maxExtent.fields) + " int }\n" +
		"type Small[T any] struct { *Large }\n" + strings.Repeat("func (s *Small[T]) m() {}\n", maxExtent.methods)
	sizes := extents(t, readTree(t, fstest.MapFS{
		"p/a.go":      {Data: []byte(large)},
		"p/b.go":      {Data: []byte("package p\nfunc (s Small[T]) n() {}\nfunc f() {}\n")},
		"p/c_test.go": {Data: []byte("package p\nfunc (Large) m() {}\n")},
	}))
	got := wrongExtents(sizes, map[string]extent{"p.Small": {1, 60, 2}, "p.Gone": {}})
	want := []string{
		"p.Large has 26 fields, 0 methods, 1 files, more than 25 fields, 50 methods, 5 files: it holds more than one concern",
		`p.Small has shrunk: write "p.Small": {1, 51, 2} in the list`,
		"p.Gone is listed and does not exist",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := wrongExtents(map[string]extent{"p.Small": sizes["p.Small"]}, map[string]extent{"p.Small": {6, 56, 7}}); got != nil {
		t.Errorf("within the slack: %q", got)
	}
	delete(sizes, "p.Large")
	sizes["p.Small"] = extent{1, 50, 2}
	if got := wrongExtents(sizes, map[string]extent{"p.Small": {1, 60, 2}}); len(got) != 1 || !strings.Contains(got[0], "needs no exception") {
		t.Errorf("an exception that nobody needs: %q", got)
	}
}

func TestLongFunctionIsNamed(t *testing.T) {
	s := source{path: "p/a.go", text: []byte("package p\nfunc f() {" + strings.Repeat("\n", maxFuncLines) + "}\nfunc g() {" + strings.Repeat("\n", maxFuncLines-1) + "}\n")}
	got := wrongLengths(longFunctions(t, s), map[string]int{"p/a.go g": 60})
	want := []string{"p/a.go f has 51 lines, more than 50", "p/a.go g has shrunk to 0 lines, 0 for within the bound: mend the list"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
