package session

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

//go:generate go test -run TestDocsShowTheSettings -update

var update = flag.Bool("update", false, "write the table of settings into the document")

const (
	nodeFile      = "../docs/node.md"
	beginSettings = "<!-- settings:begin -->\n"
	endSettings   = "<!-- settings:end -->\n"
)

// docs/node.md 8: the table of settings is the code's own.
func TestDocsShowTheSettings(t *testing.T) {
	text, err := os.ReadFile(nodeFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), beginSettings)
	_, after, ok2 := strings.Cut(rest, endSettings)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no %q", nodeFile, strings.TrimSpace(beginSettings))
	}
	want := before + beginSettings + drawSettings() + endSettings + after
	if *update {
		if err := os.WriteFile(nodeFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Fatalf("%s has another table than the code: run go generate ./session", nodeFile)
	}
}

// drawSettings is the table of settings in Markdown.
func drawSettings() string {
	var b strings.Builder
	b.WriteString("| setting | default | bounds | what it is |\n| --- | --- | --- | --- |\n")
	for _, d := range Descriptors() {
		fmt.Fprintf(&b, "| `%s` | %s | %s - %s | %s |\n", d.Key, d.Text(d.Default), d.Text(d.Min), d.Text(d.Max), d.Doc)
	}
	return b.String()
}
