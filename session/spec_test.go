package session

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

//go:generate go test -run "TestSpecShowsTheTable|TestDocsShowTheSettings" -update

var update = flag.Bool("update", false, "write the tables of states and of settings into the documents")

const (
	nodeFile      = "../docs/node.md"
	beginSettings = "<!-- settings:begin -->\n"
	endSettings   = "<!-- settings:end -->\n"

	specFile   = "../spec/behaviour.md"
	beginTable = "<!-- states:begin -->\n"
	endTable   = "<!-- states:end -->\n"
)

// spec/behaviour.md 6.2: the table of transitions is the code's own.
func TestSpecShowsTheTable(t *testing.T) {
	holdsTable(t, specFile, beginTable, endTable, drawTable())
}

// docs/node.md 8: the table of settings is the code's own.
func TestDocsShowTheSettings(t *testing.T) {
	holdsTable(t, nodeFile, beginSettings, endSettings, drawSettings())
}

// holdsTable compares what a document has between two marks, or writes it there.
func holdsTable(t *testing.T, file, begin, end, table string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no %q", file, strings.TrimSpace(begin))
	}
	want := before + begin + table + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Fatalf("%s has another table than the code: run go generate ./session", file)
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

// drawTable is the transition table in Markdown.
func drawTable() string {
	var b strings.Builder
	b.WriteString("| in | on | goes to |\n| --- | --- | --- |\n")
	for from := Idle; from < Closed; from++ {
		for to := Idle; to <= Closed; to++ {
			if events := eventsOf(from, to); len(events) > 0 {
				fmt.Fprintf(&b, "| `%v` | %s | `%v` |\n", from, strings.Join(events, ", "), to)
			}
		}
	}
	return b.String()
}

func eventsOf(from, to State) (events []string) {
	for e := range numEvents {
		if got, ok := next(from, e); ok && got == to {
			events = append(events, e.String())
		}
	}
	return events
}
