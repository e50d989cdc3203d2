package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// A Line is what became of a case: one JSON object a line.
type Line struct {
	ID       string  `json:"id"`
	Promise  string  `json:"promise"`
	Measured string  `json:"measured"`
	Control  string  `json:"control,omitempty"` // the same without the fault
	OK       bool    `json:"ok"`
	Reason   string  `json:"reason,omitempty"` // why it was not run, is shorter, or promises something else; or what failed
	Tests    string  `json:"tests,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// An outcome is how one test ended and what it said.
type outcome struct {
	ended   string // pass, fail, skip, or empty: it has not
	took    time.Duration
	figures []figure
	last    string // the last lines of its output, for a failure
}

// line is what a case's tests say of it.
func (c Case) line(outcomes map[Test]outcome) Line {
	l := Line{ID: c.ID, Promise: c.Promise, OK: true}
	switch {
	case c.Cut != "":
		l.Measured, l.Reason = "-", "falls away: "+c.Cut
		return l
	case c.Cannot != "":
		l.Measured, l.Reason = "-", "cannot run here: "+c.Cannot
		return l
	}
	var measured, control, wrong, names []string
	for _, t := range c.By {
		o := outcomes[c.key(t)]
		names = append(names, t.String())
		l.Seconds += o.took.Seconds()
		if o.ended != "pass" {
			wrong = append(wrong, fmt.Sprintf("%s: %s", t.Name, o.why()))
		}
		for _, f := range o.figures {
			if f.ID != c.ID {
				continue
			}
			measured, control = appendText(measured, f.Measured), appendText(control, f.Control)
			if f.Over {
				wrong = append(wrong, "the promise is not kept: "+f.Measured)
			}
		}
	}
	if len(measured) == 0 && len(wrong) == 0 {
		wrong = append(wrong, "the tests passed and measured nothing")
	}
	l.Measured, l.Control, l.Tests = strings.Join(measured, "; "), strings.Join(control, "; "), strings.Join(names, ", ")
	l.OK = len(wrong) == 0
	l.Reason = strings.Join(appendText(appendText(wrong, c.Instead), c.Rate), "; ")
	l.Seconds = float64(int(l.Seconds*10+0.5)) / 10
	return l
}

func appendText(list []string, s string) []string {
	if s == "" {
		return list
	}
	return append(list, s)
}

func (o outcome) why() string {
	switch o.ended {
	case "":
		return "did not end"
	case "skip":
		return "skipped: " + o.last
	default:
		return "failed: " + o.last
	}
}

// Write writes the line as JSON.
func (l Line) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(l)
}

// Latest keeps the last line of each case, where its first one stood, and names the
// cases that have several: those that were run again.
func Latest(all []Line) (lines []Line, again []string) {
	for _, l := range all {
		i := slices.IndexFunc(lines, func(o Line) bool { return o.ID == l.ID })
		if i < 0 {
			lines = append(lines, l)
			continue
		}
		lines[i] = l
		if !slices.Contains(again, l.ID) {
			again = append(again, l.ID)
		}
	}
	return lines, again
}

// ReadLines reads what Write wrote.
func ReadLines(r io.Reader) (lines []Line, err error) {
	for d := json.NewDecoder(r); ; {
		var l Line
		switch err := d.Decode(&l); err {
		case nil:
			lines = append(lines, l)
		case io.EOF:
			return lines, nil
		default:
			return nil, fmt.Errorf("faults: line %d: %w", len(lines)+1, err)
		}
	}
}
