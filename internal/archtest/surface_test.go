package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// public are the packages for programs of others.
func public() []string { return []string{"did", "session", "transport"} }

// ownPlane are the exported names by which internal/app/node gives sessions a
// data plane. Programs leave them alone: without a plane a session has messages.
func ownPlane() []string {
	return []string{"Config.Planes", "Session.Plane", "Table"}
}

// A surface collects, for one package, the aliases that it exports and the
// internal types that its other exported declarations name.
type surface struct {
	aliases []string            // "link.Conn"
	named   map[string][]string // "link.Conn": declarations
}

func surfaceOf(t *testing.T, all []source, pkg string) surface {
	t.Helper()
	s := surface{named: make(map[string][]string)}
	for _, src := range all {
		if src.pkg != pkg || src.test {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), src.path, src.text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			s.declaration(d, internals(src))
		}
	}
	return s
}

// internals are the last parts of the internal packages that a file imports.
func internals(src source) (names []string) {
	for _, p := range src.internal() {
		if strings.HasPrefix(p, "internal/") {
			names = append(names, path.Base(p))
		}
	}
	return names
}

func (s *surface) declaration(d ast.Decl, internal []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if name, ok := exportedFunc(d); ok {
			s.note(name, d.Type, internal)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			s.spec(spec, internal)
		}
	}
}

func (s *surface) spec(spec ast.Spec, internal []string) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		typ := spec.Type
		if star, pointer := typ.(*ast.StarExpr); pointer {
			typ = star.X
		}
		switch of := typ.(type) {
		case *ast.SelectorExpr:
			if spec.Assign.IsValid() && spec.Name.IsExported() {
				s.aliases = append(s.aliases, selector(of))
			}
		case *ast.StructType:
			s.fields(spec.Name, of.Fields, internal)
		case *ast.InterfaceType:
			s.fields(spec.Name, of.Methods, internal)
		}
	case *ast.ValueSpec:
		if spec.Type != nil && spec.Names[0].IsExported() {
			s.note(spec.Names[0].Name, spec.Type, internal)
		}
	}
}

// fields are the exported fields or methods of an exported type.
func (s *surface) fields(of *ast.Ident, list *ast.FieldList, internal []string) {
	for _, f := range list.List {
		if of.IsExported() && (len(f.Names) == 0 || f.Names[0].IsExported()) {
			name := of.Name
			if len(f.Names) > 0 {
				name += "." + f.Names[0].Name
			}
			s.note(name, f.Type, internal)
		}
	}
}

// note keeps the internal types that an exported declaration names.
func (s *surface) note(name string, in ast.Node, internal []string) {
	ast.Inspect(in, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(internal, pkg.Name) {
				s.named[selector(sel)] = append(s.named[selector(sel)], name)
			}
		}
		return true
	})
}

func selector(s *ast.SelectorExpr) string {
	if pkg, ok := s.X.(*ast.Ident); ok {
		return pkg.Name + "." + s.Sel.Name
	}
	return s.Sel.Name
}

func exportedFunc(d *ast.FuncDecl) (name string, ok bool) {
	if d.Recv == nil {
		return d.Name.Name, d.Name.IsExported()
	}
	of := d.Recv.List[0].Type
	if star, pointer := of.(*ast.StarExpr); pointer {
		of = star.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name + "." + d.Name.Name, id.IsExported() && d.Name.IsExported()
	}
	return "", false
}

// unnamed returns a sentence for each internal type that a program would meet in
// the public packages without a public name for it.
func unnamed(t *testing.T, all []source) (wrong []string) {
	var aliases []string
	surfaces := make(map[string]surface)
	for _, pkg := range public() {
		s := surfaceOf(t, all, pkg)
		surfaces[pkg] = s
		aliases = append(aliases, s.aliases...)
	}
	for pkg, s := range surfaces {
		for typ, by := range s.named {
			by = slices.DeleteFunc(by, func(name string) bool { return slices.Contains(ownPlane(), name) })
			if len(by) > 0 && !slices.Contains(aliases, typ) {
				wrong = append(wrong, fmt.Sprintf("%s: %s names %s, which no public package gives a name", pkg, strings.Join(by, ", "), typ))
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestPublicPackagesNameNoInternalTypes(t *testing.T) {
	for _, w := range unnamed(t, tree(t)) {
		t.Error(w)
	}
}

func TestSurfaceIsChecked(t *testing.T) {
	const text = `package session
import "github.com/libertaria-project/l2tun/internal/net/link"
type Config struct { Network link.Network; Planes func(link.Sink); hidden link.Stream }
func (c *Config) Dial() link.Conn { return nil }
func (h hidden) Dial() link.Path { return nil }
`
	files := fstest.MapFS{
		"session/a.go":   {Data: []byte(text)},
		"transport/a.go": {Data: []byte("package transport\nimport \"github.com/libertaria-project/l2tun/internal/net/link\"\ntype Network = link.Network\n")},
	}
	want := []string{"session: Config.Dial names link.Conn, which no public package gives a name"}
	if got := unnamed(t, readTree(t, files)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAnotherModuleUsesThePublicPackages builds test/example outside of the tree
// and runs it.
func TestAnotherModuleUsesThePublicPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short: it builds and runs a program")
	}
	dir := t.TempDir()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root = path.Dir(path.Dir(root))
	copyExample(t, root, dir)
	run := exampleCommand(t, dir)
	out, err := run.CombinedOutput()
	if want := "bob received: hello, from did:morpheus:"; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
}
