package main

import (
	"strings"
	"testing"
)

func TestBarsAreDrawn(t *testing.T) {
	const chart = `{"Title":"T","Y":"ratio","Groups":["a","b"],"Series":[{"Name":"one","RGB":[1,2,3],"Values":[1.5,0]},{"Name":"two","Values":[3,2]}]}`
	var svg strings.Builder
	if err := run(strings.NewReader(chart), &svg); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg", ">one</text>", ">two</text>", ">ratio</text>", "fill:#010203"} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("%q is not drawn", want)
		}
	}
}

func TestWrongChartsAreRefused(t *testing.T) {
	for _, chart := range []string{"", `{"Groups":["a"],"Series":[{"Name":"one","Values":[1,2]}]}`} {
		if err := run(strings.NewReader(chart), new(strings.Builder)); err == nil {
			t.Errorf("%q is drawn", chart)
		}
	}
}
