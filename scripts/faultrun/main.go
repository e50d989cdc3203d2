// Command faultrun runs the catalogue of faults (test/faults) for
// scripts/faults and scripts/test. It prints a JSON line a case on standard
// output, progress on standard error, and exits with 1 unless every case is ok.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libertaria-project/l2tun/test/faults"
)

type options struct {
	root, results, lines, table string
	ran                         []string // files with what go test -json printed
	quick, full                 bool
	ids                         []string
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the repository")
	flag.StringVar(&o.results, "results", "", "append \"pass NAME\" or \"fail NAME\" for each case to this file")
	flag.StringVar(&o.lines, "lines", "", "write the lines to this file, too")
	flag.StringVar(&o.table, "table", "", "make the table of the lines in this file, of each case the last one, and run nothing")
	flag.BoolVar(&o.quick, "quick", false, "only what needs no network namespaces and little time")
	flag.BoolVar(&o.full, "full", false, "nothing shortened")
	flag.Func("ran", "take how tests ended from this output of go test -json of this tree, and run the others; may be repeated", func(file string) error {
		o.ran = append(o.ran, file)
		return nil
	})
	flag.Parse()
	o.ids = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "faultrun:", err)
	}
	if err != nil || !ok {
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (ok bool, err error) {
	if o.table != "" {
		return true, fromFile(o)
	}
	out := io.Writer(os.Stdout)
	if o.lines != "" {
		f, err := os.Create(o.lines)
		if err != nil {
			return false, err
		}
		defer f.Close()
		out = io.MultiWriter(out, f)
	}
	r := &faults.Runner{Root: o.root, Out: out, Log: os.Stderr, Full: o.full, Filter: o.wants}
	for _, file := range o.ran {
		f, err := os.Open(file)
		if err != nil {
			return false, err
		}
		defer f.Close()
		r.Ran = append(r.Ran, f)
	}
	start := time.Now()
	lines, err := r.Run(ctx)
	if err != nil {
		return false, err
	}
	took := time.Since(start).Round(time.Second)
	if !o.quick && len(o.ids) == 0 {
		how := fmt.Sprintf(" (%s run, %v)", map[bool]string{true: "full", false: "default"}[o.full], took)
		if err := writeTable(o.root, lines, how); err != nil {
			return false, err
		}
	}
	wrong := slices.DeleteFunc(slices.Clone(lines), func(l faults.Line) bool { return l.OK })
	fmt.Fprintf(os.Stderr, "%d cases in %v, %d not ok\n", len(lines), took, len(wrong))
	for _, l := range wrong {
		fmt.Fprintf(os.Stderr, "%s: %s\n", l.ID, l.Reason)
	}
	return len(wrong) == 0, o.count(lines)
}

// wants chooses cases: the named ones, or those of the quick run, or all.
func (o options) wants(c faults.Case) bool {
	if len(o.ids) > 0 {
		return slices.ContainsFunc(o.ids, func(id string) bool { return strings.EqualFold(id, c.ID) })
	}
	return !o.quick || c.Quick()
}

// count writes the results for scripts/test.
func (o options) count(lines []faults.Line) error {
	if o.results == "" {
		return nil
	}
	f, err := os.OpenFile(o.results, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, l := range lines {
		if _, err := fmt.Fprintf(f, "%s fault %s\n", map[bool]string{true: "pass", false: "fail"}[l.OK], l.ID); err != nil {
			return err
		}
	}
	return nil
}

func fromFile(o options) error {
	f, err := os.Open(o.table)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := faults.ReadLines(f)
	if err != nil {
		return err
	}
	lines, again := faults.Latest(all)
	how := ""
	if len(again) > 0 {
		how = " (run again since, by themselves: " + strings.Join(again, ", ") + ")"
	}
	return writeTable(o.root, faults.InOrder(lines), how)
}

func writeTable(root string, lines []faults.Line, how string) error {
	dir := filepath.Join(root, "docs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "faults.md"))
	if err != nil {
		return err
	}
	if err := faults.Table(f, lines, how); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
