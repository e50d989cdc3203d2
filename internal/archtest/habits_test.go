package archtest

import (
	"bytes"
	"go/format"
	"regexp"
	"testing"
)

// maxLines bounds a file that is not a test; style asks for 50 to 300.
const maxLines = 500

func TestFilesAreSmall(t *testing.T) {
	for _, s := range tree(t) {
		if n := bytes.Count(s.text, []byte("\n")); n > maxLines && !s.test {
			t.Errorf("%s has %d lines, more than %d: it holds more than one concern", s.path, n, maxLines)
		}
	}
}

func TestSourceIsFormatted(t *testing.T) {
	for _, s := range tree(t) {
		formatted, err := format.Source(s.text)
		if err != nil {
			t.Errorf("%s: %v", s.path, err)
		} else if !bytes.Equal(formatted, s.text) {
			t.Errorf("%s is not formatted: gofmt -w %s", s.path, s.path)
		}
	}
}

// The pattern is put together so that this file does not match itself.
func TestNothingIsLeftToDo(t *testing.T) {
	leftover := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	for _, s := range tree(t) {
		if m := leftover.Find(s.text); m != nil {
			t.Errorf("%s has a %s: finish it or write it into the design", s.path, m)
		}
	}
}

func TestEachPackageSaysWhatItIs(t *testing.T) {
	documented := make(map[string]bool)
	doc := regexp.MustCompile(`(?m)^(//.*|\*/)\npackage `)
	for _, s := range tree(t) {
		if !s.test {
			documented[s.pkg] = documented[s.pkg] || doc.Match(s.text)
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment: purpose, ownership, limits", pkg)
		}
	}
}

// See test/bubble: the race detector dies in a plain bubble now and then.
func TestBubblesSurviveTheRaceDetector(t *testing.T) {
	for _, s := range tree(t) {
		if s.pkg != "test/bubble" && bytes.Contains(s.text, []byte("synctest"+".Test(")) {
			t.Errorf("%s uses synctest directly: bubble.Test is the same with one processor under -race", s.path)
		}
	}
}
