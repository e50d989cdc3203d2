package archtest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

var function = regexp.MustCompile(`(?m)^func (?:\(\w* ?\*?(\w+)(?:\[\w+\])?\) )?(\w+)[\[(]`)

// strayWalks returns a sentence for each function that a walk of ARCHITECTURE.md
// names and the package does not have.
func strayWalks(text string, all []source) (wrong []string) {
	known := make(map[string]bool)
	for _, s := range all {
		if s.test {
			continue
		}
		for _, m := range function.FindAllStringSubmatch(string(s.text), -1) {
			name := m[2]
			if m[1] != "" {
				name = m[1] + "." + name
			}
			known[s.pkg+" "+name] = true
		}
	}
	walk := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			walk = line == "```walk"
			continue
		}
		if f := strings.Fields(line); walk && len(f) > 0 {
			for _, name := range f[1:] {
				if !known[f[0]+" "+name] {
					wrong = append(wrong, fmt.Sprintf("%s has no function %s", f[0], name))
				}
			}
		}
	}
	return wrong
}

// A step is one line of a walk: a package at a depth of calls.
type step struct {
	depth int
	pkg   string
}

// walks returns the steps of each walk of a text.
func walks(text string) (all [][]step) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "```walk":
			inside, all = true, append(all, nil)
		case strings.HasPrefix(line, "```"):
			inside = false
		case inside && strings.TrimSpace(line) != "":
			depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
			last := &all[len(all)-1]
			*last = append(*last, step{depth, strings.Fields(line)[0]})
		}
	}
	return all
}

// reaches reports whether a package may import another one, also through others.
func reaches(table map[string][]string, from, to string) bool {
	for _, p := range table[from] {
		if p == to || reaches(table, p, to) {
			return true
		}
	}
	return false
}

// entries returns a sentence for each package that a walk enters from more than one
// other package in the same direction.
func entries(walk []step, table map[string][]string) (wrong []string) {
	from := make(map[string]string) // by package and direction
	for i, s := range walk {
		caller := ""
		for _, before := range slices.Backward(walk[:i]) {
			if before.depth < s.depth {
				caller = before.pkg
				break
			}
		}
		if caller == "" || caller == s.pkg {
			continue
		}
		direction := "up"
		if reaches(table, caller, s.pkg) {
			direction = "down"
		}
		key := s.pkg + " " + direction
		if first, ok := from[key]; ok && first != caller {
			wrong = append(wrong, fmt.Sprintf("%s is entered from %s and from %s, both %s", s.pkg, first, caller, direction))
		}
		from[key] = caller
	}
	return wrong
}

func TestNoWalkEntersAPackageTwice(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, walk := range walks(string(text)) {
		for _, w := range entries(walk, arrows()) {
			t.Errorf("ARCHITECTURE.md, walk %d: %s", i+1, w)
		}
	}
}

func TestASecondEntryIsNamed(t *testing.T) {
	table := map[string][]string{"a": {"b", "c"}, "b": {"c"}}
	got := entries(walks("```walk\na X\n  b X\n    c X\n    a X\n  c X\n```\n")[0], table)
	if want := []string{"c is entered from b and from a, both down"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWalksPassFunctionsThatExist(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```walk\n") {
		t.Error("ARCHITECTURE.md has no walk")
	}
	for _, w := range strayWalks(string(text), tree(t)) {
		t.Errorf("ARCHITECTURE.md: %s: write the walk as it is now", w)
	}
}

func TestAStrayWalkIsNamed(t *testing.T) {
	all := readTree(t, fstest.MapFS{"p/p.go": {Data: []byte("package p\nfunc A() {}\nfunc (t *T[K]) B() {}\nfunc (T) C() {}\n")}})
	got := strayWalks("p X\n```walk\np A T.B T.C\np B D\n```\n", all)
	if want := []string{"p has no function B", "p has no function D"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
