package archtest

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// sectioned are the documents that comments refer to by section, by the name
// that a reference begins with. SPEC is in several files.
var sectioned = map[string]string{
	"SPEC": "SPEC.md", "behaviour.md": "spec/behaviour.md", "security.md": "spec/security.md", "node.md": "docs/node.md", "network.md": "spec/network.md",
}

var (
	toSection = regexp.MustCompile(`\b(SPEC|behaviour\.md|security\.md|node\.md|network\.md)(?:\.md)?\)?,?\s+(?://\s*)?(?:sections?\s+)?(\d+(?:\.\d+)?)\b`)
	toADR     = regexp.MustCompile(`\bADR-(\d{3})\b`)
	outside   = regexp.MustCompile(`spec-018|design\.md|\bdesign(,)? section|Design \d`)
)

// deadReferences returns a sentence for each section and decision that a text
// names and the documents do not have, and for each document that is not here.
func deadReferences(root fs.FS, texts map[string]string) (wrong []string) {
	sections := make(map[string]bool)
	for name, path := range sectioned {
		text, _ := fs.ReadFile(root, path)
		if name == "SPEC" {
			for _, part := range protocol()[1:] {
				more, _ := fs.ReadFile(root, part)
				text = append(text, more...)
			}
		}
		for line := range strings.Lines(string(text)) {
			if m := heading.FindStringSubmatch(line); m != nil {
				sections[name+" "+m[1]] = true
			}
		}
	}
	for path, text := range texts {
		for _, m := range toSection.FindAllStringSubmatch(text, -1) {
			if !sections[m[1]+" "+m[2]] {
				wrong = append(wrong, fmt.Sprintf("%s: %s has no section %s", path, sectioned[m[1]], m[2]))
			}
		}
		for _, m := range toADR.FindAllStringSubmatch(text, -1) {
			if found, _ := fs.Glob(root, "docs/adr/"+m[1]+"-*.md"); len(found) != 1 {
				wrong = append(wrong, fmt.Sprintf("%s: docs/adr has %d files for %s", path, len(found), m[0]))
			}
		}
		if m := outside.FindString(text); m != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %q is no document of this repository", path, m))
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestReferencesLeadSomewhere(t *testing.T) {
	texts := make(map[string]string)
	for _, s := range tree(t) {
		if !strings.HasPrefix(s.path, "internal/archtest/") {
			texts[s.path] = string(s.text)
		}
	}
	root := os.DirFS("../..")
	for _, pattern := range []string{"*.md", "spec/*.md", "docs/*.md", "docs/adr/*.md", "packaging/*/*"} {
		files, err := fs.Glob(root, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if text, err := fs.ReadFile(root, f); err == nil && f != "CHANGELOG.md" {
				texts[f] = string(text)
			}
		}
	}
	for _, w := range deadReferences(root, texts) {
		t.Error(w)
	}
}

func TestADeadReferenceIsNamed(t *testing.T) {
	root := fstest.MapFS{
		"SPEC.md":             {Data: []byte("## 1. One\n### 6.3 Liveness\n")},
		"docs/adr/001-one.md": {Data: []byte("# ADR-001\n")},
	}
	got := deadReferences(root, map[string]string{
		"a.go": "// SPEC 6.3, SPEC section 1 and ADR-001 are there; SPEC 6.4, docs/node.md 8.1\n// (SPEC\n// section 9) and ADR-002 are not, nor is spec-018.",
	})
	want := []string{
		`a.go: "spec-018" is no document of this repository`,
		`a.go: SPEC.md has no section 6.4`,
		`a.go: SPEC.md has no section 9`,
		`a.go: docs/adr has 0 files for ADR-002`,
		`a.go: docs/node.md has no section 8.1`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
