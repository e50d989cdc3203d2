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
