package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const input = `{"Action":"start","Package":"p/good"}
{"Action":"run","Package":"p/good","Test":"TestA"}
{"Action":"output","Package":"p/good","Test":"TestA","Output":"chatter \"Action\":\"fail\"\n"}
{"Action":"run","Package":"p/good","Test":"TestA/one"}
{"Action":"pass","Package":"p/good","Test":"TestA/one"}
{"Action":"pass","Package":"p/good","Test":"TestA/two"}
{"Action":"pass","Package":"p/good","Test":"TestA"}
{"Action":"output","Package":"p/good","Test":"TestB","Output":"    b_test.go:1: needs a moon\n"}
{"Action":"skip","Package":"p/good","Test":"TestB"}
{"Action":"pass","Package":"p/good","Elapsed":1.25}
{"Action":"output","Package":"p/bad","Test":"TestC/one","Output":"    c_test.go:1: went wrong\n"}
{"Action":"fail","Package":"p/bad","Test":"TestC/one"}
{"Action":"pass","Package":"p/bad","Test":"TestC/two"}
{"Action":"output","Package":"p/bad","Test":"TestC","Output":"=== NAME  TestC\n"}
{"Action":"output","Package":"p/bad","Test":"TestC","Output":"    c_test.go:2: why the subtests ended\n"}
{"Action":"fail","Package":"p/bad","Test":"TestC/three"}
{"Action":"fail","Package":"p/bad","Test":"TestC"}
{"Action":"pass","Package":"p/bad","Test":"TestD/one"}
{"Action":"output","Package":"p/bad","Test":"TestD","Output":"    d_test.go:1: only the parent\n"}
{"Action":"fail","Package":"p/bad","Test":"TestD"}
{"Action":"run","Package":"p/bad","Test":"TestHangs"}
{"Action":"fail","Package":"p/bad","Elapsed":2}
{"ImportPath":"p/broken","Action":"build-output","Output":"broken.go:3: syntax error\n"}
{"ImportPath":"p/broken","Action":"build-fail"}
{"Action":"output","Package":"p/broken","Output":"FAIL p/broken [build failed]\n"}
{"Action":"fail","Package":"p/broken","Elapsed":0}
{"Action":"skip","Package":"p/empty","Elapsed":0}
not an event
{"Action":"pass","Package":"p/killed","Test":"TestE"}
`

func TestResultsCountWhatPeopleWrote(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results")
	var out strings.Builder
	if err := run(strings.NewReader(input), &out, file); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := `pass p/good TestA/one
pass p/good TestA/two
skip p/good TestB
fail p/bad TestC/one
fail p/bad TestC/three
pass p/bad TestC/two
fail p/bad TestD
pass p/bad TestD/one
fail p/bad TestHangs
fail p/broken
pass p/killed TestE
fail p/killed
`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOutputShowsReasonsAndNoChatter(t *testing.T) {
	var out strings.Builder
	if err := run(strings.NewReader(input), &out, os.DevNull); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--- skip p/good TestB\n        b_test.go:1: needs a moon\n",
		"pass p/good: 2 passed, 0 failed, 1 skipped (1.2s)\n",
		"--- fail p/bad TestC/one\n        c_test.go:1: went wrong\n--- fail p/bad TestC\n        c_test.go:2: why the subtests ended\n--- fail p/bad TestC/three\n",
		"broken.go:3: syntax error\n", "[build failed]", "not an event\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "chatter") || strings.Contains(out.String(), "p/empty") {
		t.Errorf("shows too much:\n%s", out.String())
	}
}

func TestResultsThatCannotBeWrittenAreAnError(t *testing.T) {
	if err := run(strings.NewReader(input), &strings.Builder{}, "/dev/full"); err == nil {
		t.Error("no error from a full disk")
	}
	if err := run(strings.NewReader(input), &strings.Builder{}, t.TempDir()); err == nil {
		t.Error("no error from a folder")
	}
}
