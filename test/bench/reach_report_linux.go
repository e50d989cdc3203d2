package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// markdown is the report.
func (r *ReachResult) markdown(o ReachOptions) string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, `# Measured: how homes behind NATs reach each other

Made by `+"`scripts/bench --reach`"+` in %.0f min; do not edit. %s; Linux %s, %d CPUs (%s); %s; l2tun %s.
`, r.Took/60, m.Date, m.Kernel, m.CPUs, m.CPU, m.Go, m.Commit)
	if len(r.Matrix)+len(r.Times)+len(r.Flows)+len(r.Sprayed.Sixteen)+len(r.Sprayed.Timed)+len(r.Woken) > 0 {
		r.ground(&b)
	}
	r.Times.timesTable(&b, o.Pairs)
	r.Flows.table(&b)
	r.Woken.table(&b, r.DelayMS)
	r.Sprayed.table(&b)
	r.Matrix.matrices(&b, o.Kinds)
	r.throughTable(&b)
	r.homesTable(&b)
	b.WriteString("\n## What was promised\n\n| | goal | measured | |\n| --- | --- | --- | --- |\n")
	for _, p := range r.promises(o) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.what, p.goal, p.shown(), p.verdict())
	}
	for _, x := range r.Missing {
		fmt.Fprintf(&b, "\n- Missing: %s\n", x)
	}
	return b.String()
}

// ground says how homes meet here.
func (r *ReachResult) ground(b *strings.Builder) {
	fmt.Fprintf(b, `
Network namespaces: a core, a hub on it, and homes behind NATs made of nftables rules (`+"`test/lab/nat`"+` has the table of
kinds), %.0f ms each way between a home and the hub, so a round trip of %.0f ms between two homes. Up to %d such networks run
side by side on this machine, half as many where it is timed how fast two homes meet. Both homes have a session with the hub
and none with each other. The callee is told of the caller; half a second later the caller is told of the callee, by DID alone,
and the clock starts. The caller sends a packet every 5 ms. *First* is the arrival of the first one, *direct* the moment from
which both send directly.
`, r.DelayMS, 4*r.DelayMS, r.Lanes)
}

// A promise is a figure of reach that has been promised: at most so much, or at least.
type promise struct {
	what, goal string
	limit, aim float64
	is         float64
	measured   bool
	unit       string
	least      bool
	digits     int // behind the point
}

// within is a promise in milliseconds, of n samples.
func within(what string, limit, aim, is float64, n int) promise {
	goal := fmt.Sprintf("%.0f ms", limit)
	if aim != limit {
		goal += fmt.Sprintf(", aim %.0f", aim)
	}
	return promise{what: what, goal: goal, limit: limit, aim: aim, is: is, measured: n > 0, unit: "ms"}
}

// noneOf is a promise that something never is.
func noneOf(what string, is, of int) promise {
	return promise{what: what, goal: "0", is: float64(is), measured: of > 0, unit: fmt.Sprintf("of %d", of)}
}

func (p promise) shown() string {
	switch {
	case !p.measured:
		return ""
	case math.IsInf(p.is, 1):
		return "never"
	}
	return fmt.Sprintf("%.*f %s", p.digits, p.is, p.unit)
}

func (p promise) reaches(bound float64) bool {
	if p.least {
		return p.is >= bound
	}
	return p.is <= bound
}

func (p promise) verdict() string {
	switch {
	case !p.measured:
		return "not measured"
	case p.reaches(p.aim) && p.aim != p.limit:
		return "met, also the aim"
	case p.reaches(p.limit):
		return "met"
	}
	return "**not met**"
}

// promises are those of this part of the project.
func (r *ReachResult) promises(o ReachOptions) []promise {
	return slices.Concat(r.Matrix.matrixPromises(o), r.Times.timesPromises(), r.Flows.promises(), r.Woken.promises(), r.Sprayed.promises(),
		r.throughPromises(), r.homesPromises())
}

// judged is an error that names each promise that was measured and is not met.
func (r *ReachResult) judged(o ReachOptions) error {
	var missed []string
	for _, p := range r.promises(o) {
		if p.measured && !p.reaches(p.limit) {
			missed = append(missed, p.what)
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("bench: not met: %s", strings.Join(missed, "; "))
	}
	return nil
}
