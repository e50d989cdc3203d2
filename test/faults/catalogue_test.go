package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The catalogue has 128 cases in ten groups, those of the security review and those
// of hubs and NATs, each shown by tests, or not with a reason; at most 8 cannot run.
func TestCatalogueIsWhole(t *testing.T) {
	groups := []struct {
		letter string
		cases  int
	}{{"R", 16}, {"O", 20}, {"F", 12}, {"L", 11}, {"H", 19}, {"T", 8}, {"I", 13}, {"D", 7}, {"C", 14}, {"M", 8}}
	var want []string
	for _, g := range groups {
		for i := range g.cases {
			want = append(want, fmt.Sprintf("%s%d", g.letter, i+1))
		}
	}
	all, cannot := Catalogue(), 0
	for _, c := range security() {
		want = append(want, c.ID)
	}
	for i := range reach() {
		want = append(want, fmt.Sprintf("N%d", i+1))
	}
	if len(all) != len(want) {
		t.Fatalf("%d cases, not %d", len(all), len(want))
	}
	for i, c := range all {
		if c.ID != want[i] {
			t.Errorf("case %d is %s, not %s", i, c.ID, want[i])
		}
		ways := 0
		for _, is := range []bool{len(c.By) > 0, c.Cut != "", c.Cannot != ""} {
			if is {
				ways++
			}
		}
		if ways != 1 || c.Promise == "" {
			t.Errorf("%s: shown, cut or impossible, one of these, with a promise: %+v", c.ID, c)
		}
		if c.Cannot != "" {
			cannot++
		}
	}
	if cannot > 8 {
		t.Errorf("%d cases cannot run", cannot)
	}
}

// A test that was renamed must not leave its case behind.
func TestEveryNamedTestExists(t *testing.T) {
	declared := make(map[string]map[string]bool)
	line := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, c := range Catalogue() {
		for _, test := range c.By {
			if declared[test.Pkg] == nil {
				declared[test.Pkg] = make(map[string]bool)
				files, err := filepath.Glob(filepath.Join("../..", test.Pkg, "*_test.go"))
				if err != nil || len(files) == 0 {
					t.Fatalf("%s: no tests: %v", test.Pkg, err)
				}
				for _, f := range files {
					text, err := os.ReadFile(f)
					if err != nil {
						t.Fatal(err)
					}
					for _, m := range line.FindAllStringSubmatch(string(text), -1) {
						declared[test.Pkg][m[1]] = true
					}
				}
			}
			if !declared[test.Pkg][test.Name] {
				t.Errorf("%s: there is no %s", c.ID, test)
			}
		}
	}
}

func TestNamesOfTests(t *testing.T) {
	got := by("session TestA, TestB, internal/proto/wire TestC")
	want := []Test{{Pkg: "session", Name: "TestA"}, {Pkg: "session", Name: "TestB"}, {Pkg: "internal/proto/wire", Name: "TestC"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v", got)
	}
	if (Case{By: got}).Quick() != true || (Case{By: slowly("session TestA")}).Quick() || (Case{Cut: "x"}).Quick() {
		t.Error("what is quick")
	}
}

func TestBatchesHoldEachTestOnce(t *testing.T) {
	ended := map[Test]outcome{by("b T4")[0]: {ended: "fail"}, by("a T1")[0]: {}}
	got := batches([]Case{{By: by("a T1, b T2, b T4")}, {By: by("a T1, a T3")}, {By: by("a T1, b T4"), Race: true}, {Cut: "x"}}, ended)
	var out []string
	for _, b := range got {
		out = append(out, fmt.Sprint(b.pkg, b.race, " ", len(b.tests)))
	}
	if s := strings.Join(out, " "); s != "afalse 2 bfalse 1 atrue 1 btrue 1" {
		t.Error(s)
	}
}
