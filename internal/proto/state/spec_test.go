package state

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

//go:generate go test -run TestSpecShowsTheTable -update

var update = flag.Bool("update", false, "write the table of states into the document")

const (
	specFile   = "../../../spec/behaviour.md"
	beginTable = "<!-- states:begin -->\n"
	endTable   = "<!-- states:end -->\n"
)

// spec/behaviour.md 6.2: the table of transitions is the code's own.
func TestSpecShowsTheTable(t *testing.T) {
	text, err := os.ReadFile(specFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), beginTable)
	_, after, ok2 := strings.Cut(rest, endTable)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no %q", specFile, strings.TrimSpace(beginTable))
	}
	want := before + beginTable + drawTable() + endTable + after
	if *update {
		if err := os.WriteFile(specFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Fatalf("%s has another table than the code: run go generate ./internal/proto/state", specFile)
	}
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
	for e := range NumEvents {
		if got, ok := from.Next(e); ok && got == to {
			events = append(events, e.String())
		}
	}
	return events
}
