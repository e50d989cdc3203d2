package archtest

import (
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var (
	keyWord     = regexp.MustCompile(`\b(MUST NOT|MUST|SHOULD NOT|SHOULD)\b`)
	requirement = regexp.MustCompile(`\[(R-\d+(?:\.\d+)?-\d+)\]`)
	inTest      = regexp.MustCompile(`\bR-\d+(?:\.\d+)?-\d+\b`)
	heading     = regexp.MustCompile(`^#+ (\d+(?:\.\d+)?)`)
)

// A block is a paragraph, an item of a list, or a row of a table.
func blocks(text string) (all []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		first := strings.TrimSpace(line)
		begins := first == "" || strings.HasPrefix(first, "- ") || strings.HasPrefix(first, "|") || strings.HasPrefix(first, "#")
		if begins || len(all) == 0 || all[len(all)-1] == "" {
			all = append(all, line)
		} else {
			all[len(all)-1] += " " + first
		}
	}
	return all
}

// requirements returns the identifiers of a specification, and a sentence for
// each key word without one, each one without a key word, and each that is in
// the wrong section or stands twice.
func requirements(spec string) (ids map[string]bool, wrong []string) {
	ids = make(map[string]bool)
	section := ""
	for _, b := range blocks(spec) {
		if m := heading.FindStringSubmatch(b); m != nil {
			section = m[1]
		}
		found := requirement.FindAllStringSubmatch(b, -1)
		if n := len(keyWord.FindAllString(b, -1)); n != len(found) {
			wrong = append(wrong, fmt.Sprintf("section %s has %d key words and %d identifiers in %q", section, n, len(found), b))
		}
		for _, m := range found {
			if !strings.HasPrefix(m[1], "R-"+section+"-") {
				wrong = append(wrong, fmt.Sprintf("%s stands in section %s", m[1], section))
			}
			if ids[m[1]] {
				wrong = append(wrong, fmt.Sprintf("%s stands twice", m[1]))
			}
			ids[m[1]] = true
		}
	}
	return ids, wrong
}

// untested returns a sentence for each identifier that no test names, and for
// each that a test names and the specification does not have.
func untested(ids map[string]bool, all []source) (wrong []string) {
	tested := make(map[string]string)
	for _, s := range all {
		if s.test && path.Base(s.path) != "requirements_test.go" {
			for _, id := range inTest.FindAllString(string(s.text), -1) {
				tested[id] = s.path
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if tested[id] == "" {
			wrong = append(wrong, fmt.Sprintf("%s is named by no test", id))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tested)) {
		if !ids[id] {
			wrong = append(wrong, fmt.Sprintf("%s names %s, which the specification does not have", tested[id], id))
		}
	}
	return wrong
}

// protocol are the files of the specification, one numbering through all of them.
func protocol() []string { return []string{"SPEC.md", "spec/join.md", "spec/network.md"} }

func TestEveryRequirementHasATest(t *testing.T) {
	var all strings.Builder
	for _, file := range protocol() {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	ids, wrong := requirements(all.String())
	if len(ids) < 50 {
		t.Errorf("found %d requirements only: is this the specification?", len(ids))
	}
	for _, w := range append(wrong, untested(ids, tree(t))...) {
		t.Error(w)
	}
}

// The specification is what another implementer reads whole.
func TestTheProtocolIsShort(t *testing.T) {
	most := map[string]int{"SPEC.md": 55 << 10, "spec/join.md": 10 << 10, "spec/network.md": 12 << 10}
	for _, file := range protocol() {
		text, err := os.ReadFile("../../" + file)
		if err != nil || len(text) > most[file] {
			t.Errorf("%s has %d bytes, more than %d (%v): policy belongs to spec/behaviour.md", file, len(text), most[file], err)
		}
	}
}

func TestAnUntestedRequirementIsNamed(t *testing.T) {
	ids, wrong := requirements("# spec\n\nThe words MUST be BCP 14's [R-0-1].\n\n## 1.2 Rules\n\nA node MUST do\nthis [R-1.2-1].\n\n" +
		"- It MUST NOT do that.\n- It SHOULD [R-1.2-1] rest.\n- It may sleep [R-1.2-2].\n\n| row | MUST [R-1.3-1] |\n")
	wantSpec := []string{
		`R-0-1 stands in section `,
		`section 1.2 has 1 key words and 0 identifiers in "- It MUST NOT do that."`,
		`R-1.2-1 stands twice`,
		`section 1.2 has 0 key words and 1 identifiers in "- It may sleep [R-1.2-2]."`,
		`R-1.3-1 stands in section 1.2`,
	}
	if !slices.Equal(wrong, wantSpec) {
		t.Errorf("got  %q\nwant %q", wrong, wantSpec)
	}
	all := readTree(t, fstest.MapFS{
		"a/a_test.go": {Data: []byte("package a\n// R-0-1, R-1.2-1, R-1.2-2 and R-9.9-9: gone.\n")},
		"a/a.go":      {Data: []byte("package a\n// R-1.3-1\n")},
	})
	wantTests := []string{"R-1.3-1 is named by no test", "a/a_test.go names R-9.9-9, which the specification does not have"}
	if got := untested(ids, all); !slices.Equal(got, wantTests) {
		t.Errorf("got  %q\nwant %q", got, wantTests)
	}
}
