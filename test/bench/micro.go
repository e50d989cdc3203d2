package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A suite is a package's benchmarks and how long each takes.
type suite struct{ pkg, time string }

// suites are the packages with benchmarks. Those of sessions take their time by
// themselves.
func suites() []suite {
	return []suite{
		{"./internal/proto/record", "0.5s"}, {"./internal/proto/wire", "0.5s"}, {"./routing", "0.5s"}, {"./internal/packet/datapath", "0.5s"},
		{"./handshake", "2s"}, {"./tun", "0.5s"}, {"./transport", "200000x"}, {"./session", "1x"},
	}
}

// A benchmark is one line of go test -bench: figures by their units.
type benchmark struct {
	pkg, name string
	figures   map[string]float64
	units     []string // in their order
}

// A microGoal is a promise about a benchmark's figure.
type microGoal struct {
	name, unit string
	limit, aim float64
	less       bool
}

func microGoals() []microGoal {
	return []microGoal{
		{name: "Handshakes/QUIC", unit: "handshakes/s", limit: 300, aim: 400},
		{name: "Handshakes/UTCP", unit: "handshakes/s", limit: 600, aim: 800},
		{name: "SessionMemory", unit: "B/session", limit: 64 << 10, less: true},
		{name: "SessionMemoryWithQUIC", unit: "B/session", limit: 112 << 10, less: true},
		{name: "ThousandPeers", unit: "B/session", limit: 112 << 10, less: true},
		{name: "ThousandPeers", unit: "%cpu-idle", limit: 2, less: true},
		{name: "HomesBehindOneAddress", unit: "s-1000-back", limit: 60, less: true},
		{name: "Seal/AES-256-GCM", unit: "allocs/op", limit: 0, less: true},
		{name: "Open/AES-256-GCM", unit: "allocs/op", limit: 0, less: true},
	}
}

// Micro runs the benchmarks of the packages, all or those of a pattern, and
// writes bench-micro.md. It is run in the repository's folder.
func Micro(ctx context.Context, pattern string, o Options, said io.Writer) error {
	if pattern == "" {
		pattern = "."
	}
	var all []benchmark
	for _, s := range suites() {
		c := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", s.time, "-timeout", "20m", s.pkg)
		var out bytes.Buffer
		c.Stdout, c.Stderr = io.MultiWriter(&out, said), said
		if err := c.Run(); err != nil {
			return fmt.Errorf("bench: the benchmarks of %s: %w", s.pkg, err)
		}
		all = append(all, parseBenchmarks(strings.TrimPrefix(s.pkg, "./"), out.String())...)
	}
	text := microReport(describe(o), all)
	fmt.Print(text)
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.Out, "bench-micro.md"), []byte(text), 0o644)
}

// parseBenchmarks reads what go test printed.
func parseBenchmarks(pkg, out string) (all []benchmark) {
	line := regexp.MustCompile(`^Benchmark(\S+?)(-\d+)?\s+\d+\s+(.*)$`)
	for l := range strings.Lines(out) {
		m := line.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			continue
		}
		b := benchmark{pkg: pkg, name: m[1], figures: make(map[string]float64)}
		fields := strings.Fields(m[3])
		for i := 0; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil {
				b.figures[fields[i+1]] = v
				b.units = append(b.units, fields[i+1])
			}
		}
		all = append(all, b)
	}
	return all
}

// microReport is a table of all benchmarks and one of the promises.
func microReport(m Machine, all []benchmark) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks of the packages\n\nMade by `scripts/bench --micro`; do not edit. %s; Linux %s, %d CPUs (%s); %s; l2tun %s.\n\n",
		m.Date, m.Kernel, m.CPUs, m.CPU, m.Go, m.Commit)
	b.WriteString("| package | benchmark | time | allocations | more |\n| --- | --- | --- | --- | --- |\n")
	for _, x := range all {
		var more []string
		for _, u := range x.units {
			if u != "ns/op" && u != "B/op" && u != "allocs/op" {
				more = append(more, fmt.Sprintf("%s %s", short(x.figures[u]), u))
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", x.pkg, x.name, duration(x.figures["ns/op"]), x.allocations(), strings.Join(more, ", "))
	}
	b.WriteString("\n## What was promised\n\n| | goal | aim | measured | |\n| --- | --- | --- | --- | --- |\n")
	for _, g := range microGoals() {
		g.row(&b, all)
	}
	return b.String()
}

// allocations are those of an operation; a benchmark that measures its parts by
// itself has operations of no meaning.
func (x benchmark) allocations() string {
	if len(x.units) > 3 && x.figures["allocs/op"] > 1e4 {
		return ""
	}
	return fmt.Sprintf("%.0f of %.0f B", x.figures["allocs/op"], x.figures["B/op"])
}

func (g microGoal) row(b *strings.Builder, all []benchmark) {
	relation, measured, verdict, aim := "≥", "", "not measured", ""
	if g.less {
		relation = "≤"
	}
	if g.aim != 0 {
		aim = fmt.Sprintf("%s %s", relation, short(g.aim))
	}
	for _, x := range all {
		v, ok := x.figures[g.unit]
		if x.name != g.name || !ok {
			continue
		}
		measured = short(v)
		met := goal{less: g.less}
		switch {
		case g.aim != 0 && met.reaches(v, g.aim):
			verdict = "met, also the aim"
		case met.reaches(v, g.limit):
			verdict = "met"
		default:
			verdict = "**not met**"
		}
	}
	fmt.Fprintf(b, "| %s, %s | %s %s | %s | %s | %s |\n", g.name, g.unit, relation, short(g.limit), aim, measured, verdict)
}

// short is a number with three or four digits that matter.
func short(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// duration is a time an operation in a unit that suits it.
func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return short(ns) + " ns"
	case ns < 1e6:
		return short(ns/1e3) + " µs"
	case ns < 1e9:
		return short(ns/1e6) + " ms"
	}
	return short(ns/1e9) + " s"
}
