// Command licenses writes docs/licenses.md: every module that go.mod and the
// go.mod of test/plot require, with the licence that its own files state. With
// -texts it writes the texts of those that are linked into the program, to be
// passed on with it.
//
//	go run ./scripts/licenses > docs/licenses.md
//	go run ./scripts/licenses -texts > third-party-licenses
//
// It reads the module cache and owns nothing. It fails on a licence that nobody
// has read, that is not permissive in the program, or that forbids the use in
// tests and tools. What counts as which is in classify.go.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A module is one requirement of go.mod and what its folder says.
type module struct {
	Path, Version, Dir string

	Shipped  bool // linked into the program or its packages
	Licences []string
	use      use // the worst of its licences
	texts    []string
}

func main() {
	texts := flag.Bool("texts", false, "write the licences' texts of what the program contains")
	flag.Parse()
	if err := run(os.Stdout, *texts); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, texts bool) error {
	mods, err := modules()
	if err != nil {
		return err
	}
	if err := check(mods); err != nil {
		return err
	}
	if texts {
		return writeTexts(w, mods)
	}
	return writeTable(w, mods)
}

// modules are the requirements of the modules here, by path.
func modules() ([]*module, error) {
	var all []string
	for _, file := range []string{"go.mod", "test/plot/go.mod"} {
		versions, err := required(file)
		if err != nil {
			return nil, err
		}
		all = append(all, versions...)
	}
	slices.Sort(all)
	shipped, err := linked()
	if err != nil {
		return nil, err
	}
	out, err := goOutput(append([]string{"mod", "download", "-json"}, slices.Compact(all)...)...)
	if err != nil {
		return nil, err
	}
	var mods []*module
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		m := new(module)
		if err := dec.Decode(m); err != nil {
			return nil, err
		}
		m.Shipped = shipped[m.Path]
		if err := m.read(); err != nil {
			return nil, err
		}
		mods = append(mods, m)
	}
	slices.SortFunc(mods, func(a, b *module) int { return cmp.Compare(a.Path, b.Path) })
	return mods, nil
}

// required are what a go.mod requires, as PATH@VERSION.
func required(file string) (versions []string, err error) {
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := goJSON(&mod, "mod", "edit", "-json", file); err != nil {
		return nil, err
	}
	for _, r := range mod.Require {
		versions = append(versions, r.Path+"@"+r.Version)
	}
	return versions, nil
}

// linked are the modules of which the program and the packages for programs
// contain something.
func linked() (map[string]bool, error) {
	out, err := goOutput("list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/l2tun", "./session", "./transport")
	if err != nil {
		return nil, err
	}
	paths := make(map[string]bool)
	for p := range strings.FieldsSeq(string(out)) {
		paths[p] = true
	}
	return paths, nil
}

// read finds the licences in a module's root, and the notices to pass on.
func (m *module) read() error {
	entries, err := os.ReadDir(m.Dir)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Path, err)
	}
	named := regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice)([-._].*)?$`)
	for _, e := range entries {
		if e.IsDir() || !named.MatchString(e.Name()) || e.Name() == "LICENSE-link.txt" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.Dir, e.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		m.texts = append(m.texts, string(text))
		if !strings.EqualFold(e.Name(), "NOTICE") {
			m.add(classify(string(text)))
		}
	}
	if m.Licences == nil {
		m.add("none found", unknownUse)
	}
	return nil
}

func (m *module) add(licence string, use use) {
	if !slices.Contains(m.Licences, licence) {
		m.Licences = append(m.Licences, licence)
	}
	m.use = max(m.use, use)
}

// check joins a sentence for each module whose licence does not allow its use.
func check(mods []*module) error {
	var errs []error
	for _, m := range mods {
		switch {
		case m.use == unknownUse:
			errs = append(errs, fmt.Errorf("%s %s: licence %s: read it and say in classify.go what it is", m.Path, m.Version, strings.Join(m.Licences, ", ")))
		case m.use == forbidden, m.use == unshipped && m.Shipped:
			errs = append(errs, fmt.Errorf("%s %s: licence %s is not for the program", m.Path, m.Version, strings.Join(m.Licences, ", ")))
		}
	}
	return errors.Join(errs...)
}

func writeTable(w io.Writer, mods []*module) error {
	var b strings.Builder
	b.WriteString("# Licences of what l2tun requires\n\nWritten by `go run ./scripts/licenses > docs/licenses.md`; a test holds it current.\n" +
		"What the program contains is under permissive licences; the others are used by tests and tools, unchanged, and not passed on.\n\n" +
		"| module | version | licence |\n| --- | --- | --- |\n")
	for _, m := range mods {
		note := ""
		if m.use == unshipped {
			note = " (tests and tools only)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s%s |\n", m.Path, m.Version, strings.Join(m.Licences, ", "), note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeTexts(w io.Writer, mods []*module) error {
	var b strings.Builder
	for _, m := range mods {
		if !m.Shipped {
			continue
		}
		fmt.Fprintf(&b, "%[1]s\n%[2]s %[3]s\n%[1]s\n\n%[4]s\n", strings.Repeat("=", 78), m.Path, m.Version, strings.Join(m.texts, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func goJSON(v any, args ...string) error {
	out, err := goOutput(args...)
	if err != nil {
		return err
	}
	return json.Unmarshal(out, v)
}

// goOutput runs the go command in the module of this program.
func goOutput(args ...string) ([]byte, error) {
	c := exec.Command("go", args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args[:2], " "), err)
	}
	return out, nil
}
