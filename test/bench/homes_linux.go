package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// homesBenchmark is that of package session whose figures the part homes tells.
const homesBenchmark = "HomesAtAHub"

// manyHomes runs that benchmark, in the repository's folder.
func (r *reachRun) manyHomes(ctx context.Context) {
	c := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^Benchmark"+homesBenchmark+"$", "-benchtime", "1x", "-timeout", "20m", "./session")
	var out bytes.Buffer
	c.Stdout, c.Stderr = io.MultiWriter(&out, r.said), r.said
	err := c.Run()
	for _, b := range parseBenchmarks("session", out.String()) {
		if b.name == homesBenchmark {
			r.res.Homes = b.figures
		}
	}
	if err != nil || r.res.Homes == nil {
		r.res.Missing = append(r.res.Missing, fmt.Sprintf("10,000 homes at one hub: %v", err))
	}
}

// A homesFigure is one of those figures, by its unit there.
type homesFigure struct {
	unit, what, shown string
	digits            int
	limit             float64 // 0: nothing is promised
}

func homesFigures() []homesFigure {
	return []homesFigure{
		{"s-to-come", "until all have a session with the hub", "s", 1, 0},
		{"cpu-s-to-come", "– CPU time of all ends for it", "s", 1, 0},
		{"MiB", "memory of all ends: heap and stacks of hub and homes", "MiB", 0, 0},
		{"MiB-of-hub", "memory of the hub", "MiB", 0, 1024},
		{"%cpu-idle", "CPU of all ends when nobody says anything, of a core", "%", 1, 10},
		{"ms-MEET-p50", "MEET to the hub's answer, the callee's included, median", "ms", 2, 0},
		{"ms-MEET-p99", "MEET to the hub's answer, 99 of 100", "ms", 1, 20},
		{"s-1000-back", "the hub restarts: until 1,000 are back", "s", 1, 60},
	}
}

func (r *ReachResult) homesTable(b *strings.Builder) {
	if r.Homes == nil {
		return
	}
	b.WriteString(`
## 10,000 homes at one hub

Whole sessions over a network in memory, the hub and all homes in one process and in real time, each home in a network of its
own; 300 pairs of them meet, 50 a second. What QUIC adds at a hub is in [bench-micro.md](bench-micro.md), ThousandPeers.

| | measured |
| --- | --- |
`)
	for _, f := range homesFigures() {
		if v, ok := r.Homes[f.unit]; ok {
			fmt.Fprintf(b, "| %s | %.*f %s |\n", f.what, f.digits, v, f.shown)
		}
	}
}

// homesPromises are those about many homes.
func (r *ReachResult) homesPromises() (all []promise) {
	for _, f := range homesFigures() {
		if v, ok := r.Homes[f.unit]; f.limit > 0 {
			all = append(all, promise{what: "10,000 homes: " + f.what, goal: fmt.Sprintf("%.0f %s", f.limit, f.shown),
				limit: f.limit, aim: f.limit, is: v, measured: ok, unit: f.shown, digits: f.digits})
		}
	}
	return all
}
