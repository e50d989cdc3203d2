package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// modulePath is what the packages of this tree begin with in go test -json.
const modulePath = "github.com/libertaria-project/l2tun/"

// take keeps how tests of waiting cases ended in what go test -json printed. One that
// was skipped there, or did not end, counts as not run: the Runner runs it. So does each
// of a case that promises a share of a processor.
func (r *Runner) take(printed io.Reader) error {
	listeners := make(map[string]*listener)
	for _, b := range batches(slices.DeleteFunc(slices.Clone(r.waiting), func(c Case) bool { return c.CPU }), nil) {
		if !b.race {
			listeners[b.pkg] = newListener(r, b.pkg, b.tests)
		}
	}
	for lines := bufio.NewReader(printed); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("faults: read what has run: %w", err)
		}
		var e struct{ Action, Package string }
		if json.Unmarshal(line, &e) != nil || e.Action == "skip" {
			continue
		}
		if l := listeners[strings.TrimPrefix(e.Package, modulePath)]; l != nil {
			if err := l.line(line); err != nil {
				return err
			}
		}
	}
	maps.DeleteFunc(r.outcomes, func(_ Test, o outcome) bool { return o.ended == "" })
	return nil
}
