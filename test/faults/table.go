package faults

import (
	"fmt"
	"io"
	"strings"
)

// Table writes docs/faults.md.
func Table(w io.Writer, lines []Line, how string) error {
	ok, cut, cannot := 0, 0, 0
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l.Reason, "falls away: "):
			cut++
		case strings.HasPrefix(l.Reason, "cannot run here: "):
			cannot++
		case l.OK:
			ok++
		}
	}
	_, err := fmt.Fprintf(w, `# Faults

What happens when something goes wrong: %d cases, each with its promise and what was measured. Of these %d are kept, %d are not, %d fall away, %d cannot run here.
This page is written by `+"`scripts/faults`"+`%s; the cases and the tests behind them are in `+"`test/faults`"+`.

| case | promise | measured | without the fault | ok | reason, remark | s |
| --- | --- | --- | --- | --- | --- | --- |
`, len(lines), ok, len(lines)-ok-cut-cannot, cut, cannot, how)
	for _, l := range lines {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %.1f |\n", l.ID, cell(l.Promise), cell(l.Measured), cell(l.Control),
			map[bool]string{true: "yes", false: "**no**"}[l.OK], cell(l.Reason), l.Seconds)
	}
	return err
}

// cell keeps a text inside its cell.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s) }
