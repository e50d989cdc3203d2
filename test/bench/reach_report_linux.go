package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/libertaria-project/l2tun/test/reach"
)

// markdown is the report.
func (r *ReachResult) markdown(o ReachOptions) string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, `# Measured: how homes behind NATs reach each other

Made by `+"`scripts/bench --reach`"+`; do not edit. %s; Linux %s, %d CPUs (%s); %s; l2tun %s.
`, m.Date, m.Kernel, m.CPUs, m.CPU, m.Go, m.Commit)
	if len(r.Trials) > 0 {
		r.meetings(&b, o)
	}
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

// meetings are the sections on who meets whom.
func (r *ReachResult) meetings(b *strings.Builder, o ReachOptions) {
	fmt.Fprintf(b, `
Network namespaces: a core, a hub on it, and homes behind NATs made of nftables rules (`+"`test/lab/nat`"+` has the table of
kinds), %.0f ms each way between a home and the hub. Both homes have a session with the hub and none with each other. The
callee is told of the caller; half a second later the caller is told of the callee, by DID alone, and the clock starts. The
caller sends a packet every 5 ms. *First* is the arrival of the first one, *direct* the moment from which both send
directly.

`, r.DelayMS)
	b.WriteString("![seconds to the first packet and to direct](reach.svg)\n\n## Times\n\n")
	r.timesTable(b, o)
	r.stirTable(b)
	for _, v6 := range []bool{false, true} {
		r.matrix(b, o, v6)
	}
}

func (r *ReachResult) timesTable(b *strings.Builder, o ReachOptions) {
	b.WriteString("| caller : callee | trials | first, median | 95 % | direct, median | 95 % | lost | in the end |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, p := range o.Pairs {
		all := r.of(p, false)
		if len(all) == 0 {
			continue
		}
		lost, ends := 0, map[string]int{}
		for _, t := range all {
			lost += t.Lost
			ends[t.end()]++
		}
		f, d := r.times(p, first), r.times(p, toDirect)
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s | %s | %d | %s |\n", p, len(all), shownMS(spreadOf(f).median), shownMS(centile(f, 95)),
			shownMS(spreadOf(d).median), shownMS(centile(d, 95)), lost, counted(ends))
	}
}

// end says in a word how a trial ended.
func (t Trial) end() string {
	switch {
	case t.Failed != "":
		return "failed"
	case t.DirectMS > 0:
		return "direct"
	case t.FirstMS > 0 && t.Carrier != "":
		return t.Carrier
	}
	return "nothing"
}

func counted(ends map[string]int) string {
	var all []string
	for _, word := range []string{"direct", "circuit", "datagram", "utcp", "nothing", "failed"} {
		if n := ends[word]; n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, word))
		}
	}
	return strings.Join(all, ", ")
}

func shownMS(ms float64) string {
	if ms == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f ms", ms)
}

func (r *ReachResult) stirTable(b *strings.Builder) {
	if len(r.Stirs) == 0 {
		return
	}
	b.WriteString("\n## What happens to a flow\n\nTwo homes send directly, a packet every 5 ms.\n\n| | trials | longest gap, median | worst | lost, median | twice |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, s := range stirNames() {
		gaps, lost, twice := r.stirFigures(s)
		if len(gaps) > 0 {
			fmt.Fprintf(b, "| %s | %d | %s | %s | %.0f | %d |\n", s, len(gaps), shownMS(spreadOf(gaps).median), shownMS(spreadOf(gaps).max), spreadOf(lost).median, twice)
		}
	}
}

func stirNames() (names []string) {
	for _, s := range stirs() {
		names = append(names, s.what)
	}
	return names
}

func (r *ReachResult) stirFigures(what string) (gaps, lost []float64, twice int) {
	for _, s := range r.Stirs {
		if s.What == what {
			gaps, lost, twice = append(gaps, s.GapMS), append(lost, float64(s.Lost)), twice+s.Twice
		}
	}
	return gaps, lost, twice
}

// matrix is a table of who ends how; a cell that is not what the NATs permit is bold.
func (r *ReachResult) matrix(b *strings.Builder, o ReachOptions, v6 bool) {
	cells, columns := map[string]string{}, []string{}
	for _, c := range o.couples() {
		if ts := r.of(c.String(), true); c.v6 == v6 && len(ts) > 0 {
			text := ts[0].end()
			if ts[0].DirectMS > 0 {
				text = shownMS(ts[0].DirectMS)
			}
			if !ts[0].is(c.expected()) {
				text = "**" + text + "**"
			}
			cells[c.String()] = text
			if len(columns) == 0 || c.caller == c.callee {
				columns = append(columns, c.callee.String())
			}
		}
	}
	if len(cells) == 0 {
		return
	}
	family, suffix := "IPv4", ""
	if v6 {
		family, suffix = "IPv4 and IPv6", ":6"
	}
	columns = unique(columns)
	fmt.Fprintf(b, "\n## Who meets whom over %s\n\nThe row is the caller. A time is that until direct; bold is what the NATs would have permitted otherwise.\n\n| | %s |\n| --- |%s\n",
		family, strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
	for _, a := range columns {
		fmt.Fprintf(b, "| %s |", a)
		for _, z := range columns {
			fmt.Fprintf(b, " %s |", cells[a+":"+z+suffix])
		}
		b.WriteString("\n")
	}
}

func unique(names []string) (out []string) {
	seen := map[string]bool{}
	for _, n := range names {
		if !seen[n] {
			out = append(out, n)
		}
		seen[n] = true
	}
	return out
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

func (p promise) shown() string {
	if !p.measured {
		return ""
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
	case p.reaches(p.aim):
		return "met, also the aim"
	case p.reaches(p.limit):
		return "met"
	}
	return "**not met**"
}

// promises are those of this part of the project.
func (r *ReachResult) promises(o ReachOptions) (all []promise) {
	f, d := r.times("home:home", first), r.times("home:home", toDirect)
	ms := func(what string, limit, aim, is float64, n int) {
		all = append(all, promise{what: what, goal: fmt.Sprintf("%.0f ms, aim %.0f", limit, aim), limit: limit, aim: aim, is: is, measured: n > 0, unit: "ms"})
	}
	ms("two homes, cold, first packet, median", 1000, 500, spreadOf(f).median, len(f))
	ms("two homes, cold, direct, median", 1500, 600, spreadOf(d).median, len(d))
	ms("two homes, cold, direct, 95 of 100", 2500, 1000, centile(d, 95), len(d))
	for _, s := range stirNames() {
		gaps, _, _ := r.stirFigures(s)
		ms(s+": without traffic, median", 3000, 1000, spreadOf(gaps).median, len(gaps))
	}
	wrong, silent, cells := 0, 0, 0
	for _, c := range o.couples() {
		for _, t := range r.of(c.String(), true) {
			cells++
			if t.FirstMS == 0 {
				silent++
			}
			if !t.is(c.expected()) {
				wrong++
			}
		}
	}
	careless, trials := 0, 0
	for _, p := range []string{"careless:careless", "careless:home", "home:careless"} {
		for _, t := range r.of(p, false) {
			if trials++; !t.is(reach.Direct) {
				careless++
			}
		}
	}
	none := func(what string, is, of int) {
		all = append(all, promise{what: what, goal: "0", is: float64(is), measured: of > 0, unit: fmt.Sprintf("of %d", of)})
	}
	none("cells of the matrix without a packet", silent, cells)
	none("cells that end otherwise than their NATs permit", wrong, cells)
	none("meetings of careless NATs, in every order, that are not direct", careless, trials)
	return slices.Concat(all, r.throughPromises(), r.homesPromises())
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

// chart has a group for each pair, in seconds: the line at 1 is the promise of the first
// packet.
func (r *ReachResult) chart(o ReachOptions) chart {
	c := chart{Title: "Two nodes with a common hub, cold; medians, lower is better", Y: "seconds"}
	one := bars{Name: "first packet", RGB: [3]uint8{0x1b, 0x6c, 0xa8}}
	two := bars{Name: "direct", RGB: [3]uint8{0xe0, 0x8a, 0x1e}}
	for _, p := range o.Pairs {
		if len(r.of(p, false)) > 0 {
			c.Groups = append(c.Groups, strings.Replace(p, ":", "\n", 1))
			one.Values = append(one.Values, spreadOf(r.times(p, first)).median/1000)
			two.Values = append(two.Values, spreadOf(r.times(p, toDirect)).median/1000)
		}
	}
	c.Series = []bars{one, two}
	return c
}
