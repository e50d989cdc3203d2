package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A reachRun takes the figures of a bench of reach. What runs side by side notes them
// under mu.
type reachRun struct {
	o    ReachOptions
	said io.Writer

	mu  sync.Mutex
	res ReachResult
}

// note adds a figure or says what is missing, and tells of it.
func (r *reachRun) note(add func(), missing error, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add()
	text := fmt.Sprintf(format, args...)
	if missing != nil {
		r.res.Missing = append(r.res.Missing, fmt.Sprintf("%s: %v", text, missing))
		text += fmt.Sprintf(" MISSING: %v", missing)
	}
	fmt.Fprintln(r.said, text)
}

// Reach measures and writes reach.md and reach.svg. Progress goes to said. It needs root,
// or the root of a user namespace with the network namespace.
func Reach(ctx context.Context, o ReachOptions, said io.Writer) (err error) {
	if err := o.Check(); err != nil {
		return err
	}
	r := &reachRun{o: o, said: said, res: ReachResult{Machine: describe(Options{Programs: o.Programs, Commit: o.Commit}), DelayMS: msOf(o.Delay), Lanes: o.Lanes,
		Seconds: o.Time.Seconds(), Nebula: versionOf(o.Programs, "nebula")}}
	began := time.Now()
	for _, p := range []struct {
		part string
		take func() error
	}{
		{partThrough, func() error { r.through(ctx); return nil }},
		{partHomes, func() error { r.manyHomes(ctx); return nil }},
		{partTimes, func() error { return r.sideBySide(ctx, (o.Lanes+1)/2, timesCells(r)) }},
		{partFlows, func() error { return r.sideBySide(ctx, o.Lanes, flowCells(r)) }},
		{partSleep, func() error { return r.sideBySide(ctx, o.Lanes, wakeCells(r)) }},
		{partSpray, func() error { return r.sideBySide(ctx, o.Lanes, sprayCells(r)) }},
		{partMatrix, func() error { return r.sideBySide(ctx, o.Lanes, matrixCells(r)) }},
	} {
		if !o.has(p.part) || ctx.Err() != nil {
			continue
		}
		part := time.Now()
		if err := p.take(); err != nil {
			r.res.Missing = append(r.res.Missing, fmt.Sprintf("of part %s: %v", p.part, err))
		}
		fmt.Fprintf(said, "part %s took %v\n", p.part, time.Since(part).Round(time.Second))
	}
	r.res.Took = time.Since(began).Seconds()
	if o.JSON != "" {
		err = writeJSON(o.JSON, &r.res)
	}
	return errors.Join(ctx.Err(), err, r.res.report(ctx, o))
}

// report writes the text and the plot, and says what was promised and is not so.
func (r *ReachResult) report(ctx context.Context, o ReachOptions) error {
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	text := r.markdown(o)
	fmt.Print("\n", text)
	err := os.WriteFile(filepath.Join(o.Out, "reach.md"), []byte(text), 0o644)
	if len(r.Times) > 0 {
		err = errors.Join(err, draw(ctx, o.Programs, r.Times.chart(o.Pairs), filepath.Join(o.Out, "reach.svg")))
	}
	if err == nil && len(r.Missing) > 0 {
		return ErrIncomplete
	}
	return errors.Join(err, r.judged(o))
}
