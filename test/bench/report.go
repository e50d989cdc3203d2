package bench

import (
	"fmt"
	"slices"
	"strings"
)

// markdown is the report: the figures, and what they mean for the goals.
func (r *Result) markdown(o Options) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Measured: l2tun beside wireguard-go\n\n%s\n\n", r.intro(o))
	b.WriteString("![ratios to wireguard-go](bench.svg)\n\n## Figures\n\n")
	columns := r.columns(o, func(c contender) bool { return c.procs == 0 })
	r.table(&b, columns, wireguard)
	for _, procs := range r.variants(o) {
		suffix := fmt.Sprintf("@%d", procs)
		fmt.Fprintf(&b, "\n### With GOMAXPROCS=%d\n\nThe ratio is to wireguard-go with the same setting.\n\n", procs)
		r.table(&b, r.columns(o, func(c contender) bool { return c.procs == procs }), wireguard+suffix)
	}
	b.WriteString("\n## What was promised\n\nRatios are to wireguard-go, or to what stands there, in the same round, the median of all rounds.\n\n")
	r.verdicts(&b)
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "\n- Missing: %s\n", m)
	}
	return b.String()
}

func (r *Result) intro(o Options) string {
	m := r.Machine
	return fmt.Sprintf(`Made by `+"`scripts/bench`"+`; do not edit. %s; Linux %s, %d CPUs (%s), TCP %s; %s; l2tun %s; wireguard-go %s.

Two network namespaces and one veth of MTU 1500; inside the tunnels IPv4 and an MTU of 1420 for all. %d rounds; in each
one contender after the other runs alone, in a rotating order, %.0f s a throughput measurement. Each cell: median,
[smallest–largest], and behind ×, in bold, the ratio to wireguard-go: the median of the rounds' own ratios. UDP is sent as
fast as iperf3 can; "default" is l2tun with all carriers. A ping that is not answered counts as 1 s. CPU is user and system time of both daemons.
A wake-up is a moment of 10 ms in which an idle daemon ran; the switches of its threads, naps of the Go runtime included, stand below it. The lossy line
is a cable through user space that delays and drops IP packets, the same ones for each contender of a round. "%s" is l2tun
where direct is forbidden; another transfer of %.0f s is before the measured one, in which the nodes compare the carriers.`,
		m.Date, m.Kernel, m.CPUs, m.CPU, m.Congestion, m.Go, m.Commit, m.WireGuard, r.Rounds, r.Seconds, indirect, learning.Seconds())
}

// columns are the contenders of a table, in the order they were asked for.
func (r *Result) columns(o Options, of func(contender) bool) (names []string) {
	for _, name := range o.Contenders {
		c, err := parseContender(name)
		if err == nil && of(c) && r.has(name) {
			names = append(names, name)
		}
	}
	return names
}

// variants are the settings of GOMAXPROCS that were asked for.
func (r *Result) variants(o Options) (procs []int) {
	for _, name := range o.Contenders {
		c, _ := parseContender(name)
		if c.procs != 0 && r.has(name) && !slices.Contains(procs, c.procs) {
			procs = append(procs, c.procs)
		}
	}
	return procs
}

// table writes a row for each metric that somebody has.
func (r *Result) table(b *strings.Builder, columns []string, base string) {
	fmt.Fprintf(b, "| | unit | %s |\n| --- | --- |%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
	for _, m := range metrics() {
		cells, any := make([]string, len(columns)), false
		for i, c := range columns {
			cells[i] = r.cell(m, c, base)
			any = any || cells[i] != ""
		}
		if any {
			fmt.Fprintf(b, "| %s | %s | %s |\n", m.title, m.unit, strings.Join(cells, " | "))
		}
	}
}

func (r *Result) cell(m metric, c, base string) string {
	s := r.figure(c, m.id)
	if s.n == 0 {
		return ""
	}
	text := fmt.Sprintf("%.*f [%.*f–%.*f]", m.digits, s.median, m.digits, s.min, m.digits, s.max)
	if ratio := r.ratio(c, base, m.id); c != base && !m.absolute && ratio.n > 0 {
		text += fmt.Sprintf(" **×%.2f**", ratio.median)
	}
	return text
}

func (r *Result) verdicts(b *strings.Builder) {
	b.WriteString("| | goal | aim | measured | |\n| --- | --- | --- | --- | --- |\n")
	for _, g := range goals() {
		s, aim, shown := g.measured(r), "", ""
		if g.aim != 0 {
			aim = g.bound(g.aim)
		}
		if s.n > 0 {
			shown = fmt.Sprintf("%s [%s–%s]", g.show(s.median), strings.TrimSuffix(g.show(s.min), " "+g.unit), g.show(s.max))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", g.what, g.bound(g.limit), aim, shown, g.verdict(s))
	}
}
